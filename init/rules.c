/* SPDX-License-Identifier: Apache-2.0 */
#include "init/rules.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "netns/nft.h"

#define ENDPOINT "169.254.170.2"
#define TABLE    "berth-init"

char *rules_text(const struct init_settings *settings)
{
	struct strbuf text = STRBUF_INIT;

	/* To add before deleting makes the deletion succeed in any case; all of it is one
	 * transaction. */
	strbuf_append(&text, "add table ip " TABLE "\ndelete table ip " TABLE "\n");
	strbuf_append(&text, "add table inet " TABLE "\ndelete table inet " TABLE "\n");
	strbuf_appendf(&text,
		       "table ip " TABLE " {\n"
		       "\tchain prerouting {\n"
		       "\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
		       "\t\tip daddr " ENDPOINT " tcp dport 80 dnat to 127.0.0.1:%u\n"
		       "\t}\n"
		       "\tchain output {\n"
		       "\t\ttype nat hook output priority -100; policy accept;\n"
		       "\t\tip daddr " ENDPOINT " tcp dport 80 redirect to :%u\n"
		       "\t}\n"
		       "}\n",
		       settings->metadata_port, settings->metadata_port);
	strbuf_append(&text, "table inet " TABLE " {\n"
			     "\tchain input {\n"
			     "\t\ttype filter hook input priority filter; policy accept;\n");
	if (!settings->allow_offhost_introspection)
		strbuf_appendf(&text, "\t\ttcp dport %u iifname != \"lo\" drop\n",
			       settings->introspection_port);
	if (!settings->skip_localhost_filter)
		strbuf_append(&text, "\t\tip daddr 127.0.0.0/8 ip saddr != 127.0.0.0/8 ct state != "
				     "{ established, related } "
				     "ct status & dnat == 0 drop\n");
	strbuf_append(&text, "\t}\n}\n");
	return strbuf_take(&text);
}

int rules_set(const struct init_settings *settings, struct error *err)
{
	_cleanup_free_ char *text = rules_text(settings);
	int r = nft_run(text, err);

	if (r < 0)
		error_prefix(err,
			     "set the rules of the metadata endpoint and the introspection API");
	return r;
}

int rules_remove(struct error *err)
{
	int first = nft_delete_table("ip", TABLE, err);
	int second = nft_delete_table("inet", TABLE, first < 0 ? NULL : err);

	return first < 0 ? first : second;
}
