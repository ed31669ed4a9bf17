/* SPDX-License-Identifier: Apache-2.0 */
/* nftables by batches of our own: all or nothing, and who was refused. */
#include "netns/nft_batch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/netfilter.h>
#include <linux/netlink.h>

#include "live.h"
#include "netns/namespace.h"
#include "netns/nft.h"
#include "netns/redirect.h"

#define TABLE "berth-test"

static const struct nft_set numbers = {
	.name = "numbers",
	.key_type = 13, /* inet_service */
	.key_size = 2,
	.data_type = 7, /* ipv4_addr */
	.data_size = 4,
};

static struct nft_element element_of(unsigned char number, const char *comment)
{
	struct nft_element element = {
		.key = { 0, number },
		.key_size = 2,
		.data = { 10, 0, 0, number },
		.data_size = 4,
	};

	strcpy(element.comment, comment);
	return element;
}

static void put_element(struct nft_batch *batch, uint16_t type, unsigned char number)
{
	const struct nft_element element = element_of(number, "of a test");

	nft_batch_element(batch, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE | NLM_F_EXCL : 0,
			  NFPROTO_IPV4, TABLE, numbers.name, &element);
}

static int make_table(void **state)
{
	struct nft_batch *batch = nft_batch_new();

	nft_batch_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, NFPROTO_IPV4, TABLE);
	nft_batch_set(batch, NLM_F_CREATE, NFPROTO_IPV4, TABLE, &numbers);
	assert_int_equal(nft_batch_run(batch, "make a table", NULL, NULL), 0);
	nft_batch_free(batch);
	return 0;
}

static int drop_table(void **state)
{
	return nft_delete_table("ip", TABLE, NULL);
}

static void count_element(void *data, const struct nft_element *element)
{
	++*(size_t *)data;
}

static size_t elements(void)
{
	size_t count = 0;

	assert_int_equal(
		nft_element_list(NFPROTO_IPV4, TABLE, numbers.name, count_element, &count, NULL),
		0);
	return count;
}

static void an_element_is_found_with_its_comment(void **state)
{
	struct nft_batch *batch = nft_batch_new();
	struct nft_element element = element_of(7, "");
	char *output = NULL;

	put_element(batch, NFT_MSG_NEWSETELEM, 7);
	assert_int_equal(nft_batch_run(batch, "add", NULL, NULL), 0);
	memset(element.data, 0, sizeof(element.data));
	assert_int_equal(nft_element_find(NFPROTO_IPV4, TABLE, numbers.name, &element, NULL), 0);
	assert_string_equal(element.comment, "of a test");
	assert_int_equal(element.data[3], 7);
	element.key[1] = 8;
	assert_int_equal(nft_element_find(NFPROTO_IPV4, TABLE, numbers.name, &element, NULL),
			 -ENOENT);
	/* A person sees it as if nft(8) had made it. */
	assert_int_equal(nft_query("list table ip " TABLE, &output, NULL), 0);
	assert_non_null(strstr(output, "type inet_service : ipv4_addr"));
	assert_non_null(strstr(output, "7 comment \"of a test\" : 10.0.0.7"));
	free(output);
	put_element(batch, NFT_MSG_DELSETELEM, 7);
	assert_int_equal(nft_batch_run(batch, "delete", NULL, NULL), 0);
	assert_int_equal(elements(), 0);
	nft_batch_free(batch);
}

static void a_refusal_in_the_middle_undoes_all_and_is_named(void **state)
{
	struct nft_batch *batch = nft_batch_new();
	size_t refused = 0;
	struct error err;

	put_element(batch, NFT_MSG_NEWSETELEM, 3);
	assert_int_equal(nft_batch_run(batch, "add", &refused, NULL), 0);
	assert_int_equal(refused, SIZE_MAX);
	for (unsigned char number = 1; number <= 5; number++)
		put_element(batch, NFT_MSG_NEWSETELEM, number);
	assert_int_equal(nft_batch_count(batch), 5);
	assert_int_equal(nft_batch_run(batch, "add five numbers", &refused, &err), -EEXIST);
	assert_int_equal(refused, 2);
	assert_string_equal(err.text, "add five numbers: File exists");
	assert_int_equal(elements(), 1);
	put_element(batch, NFT_MSG_DELSETELEM, 3);
	put_element(batch, NFT_MSG_DELSETELEM, 4);
	assert_int_equal(nft_batch_run(batch, "delete", &refused, NULL), -ENOENT);
	assert_int_equal(refused, 1);
	assert_int_equal(elements(), 1);
	nft_batch_free(batch);
}

/* More than a socket's buffers hold, unless they are made to. */
static void a_batch_may_be_large(void **state)
{
	struct nft_batch *batch = nft_batch_new();
	size_t refused = 0;

	for (unsigned n = 0; n < 8192; n++) {
		struct nft_element element = element_of(0, "one of very many, with a long comment");

		element.key[0] = (unsigned char)(n >> 8);
		element.key[1] = (unsigned char)n;
		nft_batch_element(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL,
				  NFPROTO_IPV4, TABLE, numbers.name, &element);
	}
	assert_int_equal(nft_batch_run(batch, "add", NULL, NULL), 0);
	assert_int_equal(elements(), 8192);
	/* All of them are refused. */
	for (unsigned n = 0; n < 8192; n++)
		put_element(batch, NFT_MSG_NEWSETELEM, (unsigned char)n);
	assert_int_equal(nft_batch_run(batch, "add", &refused, NULL), -EEXIST);
	assert_int_equal(refused, 0);
	nft_batch_free(batch);
}

static void what_is_not_there_has_no_elements_and_no_rules(void **state)
{
	size_t count = 0;
	struct nft_element element = element_of(1, "");

	assert_int_equal(
		nft_element_list(NFPROTO_IPV6, "nowhere", "set", count_element, &count, NULL), 0);
	assert_int_equal(count, 0);
	assert_int_equal(nft_element_find(NFPROTO_IPV6, "nowhere", "set", &element, NULL), -ENOENT);
	assert_int_equal(nft_rule_count(NFPROTO_IPV6, "nowhere", "chain", NULL), 0);
}

static int count_rules(void *data, struct error *err)
{
	return nft_rule_count(NFPROTO_IPV4, "berth-endpoint", "output", err);
}

static void a_redirection_that_is_repeated_is_one(void **state)
{
	const char *path = live_path("netns");
	struct ip_address address;
	int netns = -1;

	assert_int_equal(ip_parse("169.254.170.2", &address, NULL), 0);
	assert_int_equal(netns_create(path, NULL, &netns, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(netns_redirect_tcp(netns, &address, 80, 51679, NULL), 0);
	assert_int_equal(netns_run(netns, count_rules, NULL, NULL), 1);
	close(netns);
	assert_int_equal(netns_delete(path, NULL, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_element_is_found_with_its_comment, make_table,
						drop_table),
		cmocka_unit_test_setup_teardown(a_refusal_in_the_middle_undoes_all_and_is_named,
						make_table, drop_table),
		cmocka_unit_test_setup_teardown(a_batch_may_be_large, make_table, drop_table),
		cmocka_unit_test(what_is_not_there_has_no_elements_and_no_rules),
		cmocka_unit_test(a_redirection_that_is_repeated_is_one),
	};
	int failed;

	live_enter();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return failed;
}
