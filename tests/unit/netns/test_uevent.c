/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/uevent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LINE(text) text "\0"
#define PCI        LINE("DEVPATH=/devices/pci0000:00/0000:00:06.0/net/eth1")
#define ADD        LINE("add@/devices/pci0000:00/0000:00:06.0/net/eth1") LINE("ACTION=add")
#define NET        LINE("SUBSYSTEM=net")
#define ETH1       LINE("INTERFACE=eth1")

/* Sizes without the NUL that C adds: each line has its own. */
#define CASE(kind, text)                                                                           \
	{                                                                                          \
		kind, text, sizeof(text) - 1                                                       \
	}

static void a_message_is_what_its_lines_say(void **state)
{
	static const struct {
		enum uevent_kind kind;
		const char *text;
		size_t size;
	} cases[] = {
		CASE(UEVENT_HARDWARE, ADD PCI NET ETH1 LINE("IFINDEX=7") LINE("SEQNUM=1042")),
		CASE(UEVENT_HARDWARE, ADD LINE("DEVPATH=/devices/vif-1/net/eth1") NET ETH1),
		CASE(UEVENT_HARDWARE, ADD LINE("DEVPATH=devices/vif-1/net/eth1") NET ETH1),
		CASE(UEVENT_HARDWARE, ADD PCI NET LINE("INTERFACE=/sys/class/net/eth1")),
		CASE(UEVENT_HARDWARE, LINE("add@") ETH1 NET PCI LINE("ACTION=add")),
		CASE(UEVENT_VIRTUAL, ADD LINE("DEVPATH=/devices/virtual/net/eth1") NET ETH1),
		CASE(UEVENT_ELSEWHERE, ADD LINE("DEVPATH=/devices/platform/usb/net/eth1") NET ETH1),
		CASE(UEVENT_ELSEWHERE, ADD LINE("DEVPATH=/net/eth1") NET ETH1),
		/* Other events, and other devices. */
		CASE(UEVENT_NONE, LINE("remove@/d") LINE("ACTION=remove") PCI NET ETH1),
		CASE(UEVENT_NONE, LINE("move@/d") LINE("ACTION=move") PCI NET ETH1),
		CASE(UEVENT_NONE, ADD PCI LINE("SUBSYSTEM=block") ETH1),
		CASE(UEVENT_NONE, ADD PCI LINE("SUBSYSTEM=net/") ETH1),
		CASE(UEVENT_NONE, ADD PCI ETH1),
		CASE(UEVENT_NONE, ADD NET ETH1),
		CASE(UEVENT_NONE, ADD PCI NET),
		CASE(UEVENT_NONE, LINE("add@/d") PCI NET ETH1),
		/* Names that are none. */
		CASE(UEVENT_NONE, ADD PCI NET LINE("INTERFACE=")),
		CASE(UEVENT_NONE, ADD PCI NET LINE("INTERFACE=/net/")),
		CASE(UEVENT_NONE, ADD PCI NET LINE("INTERFACE=sixteen-is-too-m")),
		/* Without its last NUL, without a head, udev's own, nothing, noise. */
		CASE(UEVENT_NONE, ADD PCI NET "INTERFACE=eth1"),
		CASE(UEVENT_NONE, LINE("ACTION=add") PCI NET ETH1),
		CASE(UEVENT_NONE, LINE("libudev") LINE("\xfe\xed\xca\xfe") LINE("") LINE("")),
		CASE(UEVENT_NONE, ""),
		CASE(UEVENT_NONE, "@"),
		CASE(UEVENT_NONE, LINE("")),
		CASE(UEVENT_NONE, LINE("@")),
		CASE(UEVENT_NONE, LINE("") LINE("") ADD PCI NET ETH1),
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct uevent event;

		uevent_read(cases[i].text, cases[i].size, &event);
		if (event.kind != cases[i].kind)
			fail_msg("case %zu is %d, not %d", i, event.kind, cases[i].kind);
		assert_string_equal(event.interface, event.kind == UEVENT_NONE ? "" : "eth1");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_what_its_lines_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
