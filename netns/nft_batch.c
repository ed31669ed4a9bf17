/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nft_batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/alloc.h"
#include "netns/nft_socket.h"

#define MESSAGE_SIZE 4096 /* the most that one message may hold */

struct nft_batch {
	char *bytes;
	size_t size, capacity;
	size_t count;
	size_t last; /* where the last message begins */
};

static char *reserve(struct nft_batch *batch)
{
	if (batch->capacity - batch->size < MESSAGE_SIZE) {
		batch->capacity = 2 * batch->capacity + 2 * (size_t)MESSAGE_SIZE;
		batch->bytes = xrealloc(batch->bytes, batch->capacity);
	}
	memset(batch->bytes + batch->size, 0, MESSAGE_SIZE);
	batch->last = batch->size;
	return batch->bytes + batch->size;
}

static void complete(struct nft_batch *batch)
{
	const struct nlmsghdr *header = (const void *)(batch->bytes + batch->last);

	assert(header->nlmsg_len <= MESSAGE_SIZE);
	batch->size += NLMSG_ALIGN(header->nlmsg_len);
}

/* Messages are numbered from 1, the batch's frame is 0. */
static struct nlmsghdr *begin(struct nft_batch *batch, uint16_t type, uint16_t flags,
			      uint8_t family)
{
	return nftnl_nlmsg_build_hdr(reserve(batch), type, family, flags, (uint32_t)++batch->count);
}

static void start(struct nft_batch *batch)
{
	batch->size = batch->count = 0;
	nftnl_batch_begin(reserve(batch), 0);
	complete(batch);
}

struct nft_batch *nft_batch_new(void)
{
	struct nft_batch *batch = xcalloc(1, sizeof(*batch));

	start(batch);
	return batch;
}

void nft_batch_free(struct nft_batch *batch)
{
	if (!batch)
		return;
	free(batch->bytes);
	free(batch);
}

size_t nft_batch_count(const struct nft_batch *batch)
{
	return batch->count;
}

void nft_batch_table(struct nft_batch *batch, uint16_t type, uint16_t flags, uint8_t family,
		     const char *table)
{
	struct nftnl_table *object = nftnl_table_alloc();

	assert(object);
	nftnl_table_set_u32(object, NFTNL_TABLE_FAMILY, family);
	nftnl_table_set_str(object, NFTNL_TABLE_NAME, table);
	nftnl_table_nlmsg_build_payload(begin(batch, type, flags, family), object);
	nftnl_table_free(object);
	complete(batch);
}

void nft_batch_chain(struct nft_batch *batch, uint16_t flags, uint8_t family, const char *table,
		     const struct nft_chain *chain)
{
	struct nftnl_chain *object = nftnl_chain_alloc();

	assert(object);
	nftnl_chain_set_str(object, NFTNL_CHAIN_TABLE, table);
	nftnl_chain_set_str(object, NFTNL_CHAIN_NAME, chain->name);
	if (chain->type) {
		nftnl_chain_set_str(object, NFTNL_CHAIN_TYPE, chain->type);
		nftnl_chain_set_u32(object, NFTNL_CHAIN_HOOKNUM, chain->hook);
		nftnl_chain_set_s32(object, NFTNL_CHAIN_PRIO, chain->priority);
	}
	nftnl_chain_nlmsg_build_payload(begin(batch, NFT_MSG_NEWCHAIN, flags, family), object);
	nftnl_chain_free(object);
	complete(batch);
}

struct nftnl_rule *nft_rule_new(uint8_t family, const char *table, const char *chain)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	assert(rule);
	nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, family);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
	return rule;
}

void nft_batch_flush(struct nft_batch *batch, uint8_t family, const char *table, const char *chain)
{
	struct nftnl_rule *rule = nft_rule_new(family, table, chain);

	nftnl_rule_nlmsg_build_payload(begin(batch, NFT_MSG_DELRULE, 0, family), rule);
	nftnl_rule_free(rule);
	complete(batch);
}

void nft_batch_delete_chain(struct nft_batch *batch, uint8_t family, const char *table,
			    const char *chain)
{
	struct nftnl_chain *object = nftnl_chain_alloc();

	assert(object);
	nftnl_chain_set_str(object, NFTNL_CHAIN_TABLE, table);
	nftnl_chain_set_str(object, NFTNL_CHAIN_NAME, chain);
	nftnl_chain_nlmsg_build_payload(begin(batch, NFT_MSG_DELCHAIN, 0, family), object);
	nftnl_chain_free(object);
	complete(batch);
}

void nft_batch_rule(struct nft_batch *batch, struct nftnl_rule *rule)
{
	uint8_t family = (uint8_t)nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY);

	nftnl_rule_nlmsg_build_payload(
		begin(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, family), rule);
	nftnl_rule_free(rule);
	complete(batch);
}

void nft_batch_set(struct nft_batch *batch, uint16_t flags, uint8_t family, const char *table,
		   const struct nft_set *set)
{
	struct nftnl_set *object = nftnl_set_alloc();

	assert(object);
	nftnl_set_set_u32(object, NFTNL_SET_FAMILY, family);
	nftnl_set_set_str(object, NFTNL_SET_TABLE, table);
	nftnl_set_set_str(object, NFTNL_SET_NAME, set->name);
	nftnl_set_set_u32(object, NFTNL_SET_KEY_TYPE, set->key_type);
	nftnl_set_set_u32(object, NFTNL_SET_KEY_LEN, set->key_size);
	nftnl_set_set_u32(object, NFTNL_SET_FLAGS, set->data_size ? NFT_SET_MAP : 0);
	if (set->data_size) {
		nftnl_set_set_u32(object, NFTNL_SET_DATA_TYPE, set->data_type);
		nftnl_set_set_u32(object, NFTNL_SET_DATA_LEN, set->data_size);
	}
	/* Told apart by this within the batch that makes several. */
	nftnl_set_set_u32(object, NFTNL_SET_ID, (uint32_t)batch->count + 1);
	nftnl_set_nlmsg_build_payload(begin(batch, NFT_MSG_NEWSET, flags, family), object);
	nftnl_set_free(object);
	complete(batch);
}

void nft_batch_delete_set(struct nft_batch *batch, uint8_t family, const char *table,
			  const char *set)
{
	struct nftnl_set *object = nftnl_set_alloc();

	assert(object);
	nftnl_set_set_str(object, NFTNL_SET_TABLE, table);
	nftnl_set_set_str(object, NFTNL_SET_NAME, set);
	nftnl_set_nlmsg_build_payload(begin(batch, NFT_MSG_DELSET, 0, family), object);
	nftnl_set_free(object);
	complete(batch);
}

static void put_jump(struct nftnl_set_elem *element, const char *chain)
{
	const uint32_t verdict = (uint32_t)NFT_JUMP;

	nftnl_set_elem_set(element, NFTNL_SET_ELEM_VERDICT, &verdict, sizeof(verdict));
	nftnl_set_elem_set(element, NFTNL_SET_ELEM_CHAIN, chain, (uint32_t)strlen(chain) + 1);
}

static void put_comment(struct nftnl_set_elem *element, const char *comment)
{
	struct nftnl_udata_buf *data = nftnl_udata_buf_alloc(NFT_ELEMENT_COMMENT);

	assert(data && strlen(comment) <= NFT_COMMENT_MAX);
	nftnl_udata_put_strz(data, NFTNL_UDATA_SET_ELEM_COMMENT, comment);
	nftnl_set_elem_set(element, NFTNL_SET_ELEM_USERDATA, nftnl_udata_buf_data(data),
			   nftnl_udata_buf_len(data));
	nftnl_udata_buf_free(data);
}

static struct nftnl_set *element_of(uint8_t family, const char *table, const char *set,
				    const struct nft_element *element, bool whole)
{
	struct nftnl_set *object = nftnl_set_alloc();
	struct nftnl_set_elem *item = nftnl_set_elem_alloc();

	assert(object && item);
	nftnl_set_set_u32(object, NFTNL_SET_FAMILY, family);
	nftnl_set_set_str(object, NFTNL_SET_TABLE, table);
	nftnl_set_set_str(object, NFTNL_SET_NAME, set);
	nftnl_set_elem_set(item, NFTNL_SET_ELEM_KEY, element->key, element->key_size);
	if (whole && element->data_size)
		nftnl_set_elem_set(item, NFTNL_SET_ELEM_DATA, element->data, element->data_size);
	if (whole && element->jump)
		put_jump(item, element->jump);
	if (whole && element->comment[0])
		put_comment(item, element->comment);
	nftnl_set_elem_add(object, item);
	return object;
}

void nft_element_append(struct nft_element *element, const void *bytes, size_t size)
{
	memcpy(element->key + element->key_size, bytes, size);
	element->key_size += (uint32_t)size;
}

void nft_batch_element(struct nft_batch *batch, uint16_t type, uint16_t flags, uint8_t family,
		       const char *table, const char *set, const struct nft_element *element)
{
	struct nftnl_set *object =
		element_of(family, table, set, element, type == NFT_MSG_NEWSETELEM);

	nftnl_set_elems_nlmsg_build_payload(begin(batch, type, flags, family), object);
	nftnl_set_free(object);
	complete(batch);
}

struct outcome {
	size_t refused;
	int code;
};

static int note_answer(const struct nlmsghdr *message, void *data)
{
	struct outcome *outcome = data;
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type == NLMSG_ERROR && answer->error != 0 && outcome->code == 0) {
		outcome->code = answer->error;
		outcome->refused = message->nlmsg_seq > 0 ? message->nlmsg_seq - 1 : SIZE_MAX;
	}
	return 0;
}

int nft_batch_run(struct nft_batch *batch, const char *what, size_t *ret_refused, struct error *err)
{
	struct outcome outcome = { .refused = SIZE_MAX };
	struct nlmsghdr *last = (void *)(batch->bytes + batch->last);
	struct nft_socket socket;
	int r;

	if (batch->count == 0)
		return 0;
	/* Of all messages only the last is acknowledged, so that thousands of answers do not
	 * overflow; refusals are told of each. */
	last->nlmsg_flags |= NLM_F_ACK;
	nftnl_batch_end(reserve(batch), 0);
	complete(batch);
	r = nft_socket_open(&socket, what, err);
	if (r == 0) {
		r = nft_socket_exchange(&socket, batch->bytes, batch->size, (uint32_t)batch->count,
					note_answer, &outcome, err);
		nft_socket_close(&socket);
	}
	start(batch);
	if (ret_refused)
		*ret_refused = outcome.refused;
	return r == 0 && outcome.code ? error_set(err, -outcome.code, "%s", what) : r;
}

static int read_comment(const struct nftnl_udata *attribute, void *data)
{
	struct nft_element *element = data;
	const char *text = nftnl_udata_get(attribute);
	size_t size = nftnl_udata_len(attribute);

	if (nftnl_udata_type(attribute) == NFTNL_UDATA_SET_ELEM_COMMENT && size > 0 &&
	    text[size - 1] == '\0')
		memcpy(element->comment, text, size);
	return 0;
}

static uint32_t copy_value(const struct nftnl_set_elem *item, uint16_t attribute,
			   unsigned char out[NFT_ELEMENT_SIZE])
{
	uint32_t size = 0;
	const void *value = nftnl_set_elem_get((struct nftnl_set_elem *)item, attribute, &size);

	if (!value || size > NFT_ELEMENT_SIZE)
		return 0;
	memcpy(out, value, size);
	return size;
}

struct reading {
	void (*each)(void *data, const struct nft_element *element);
	void *data;
	int code;
};

static int read_element(struct nftnl_set_elem *item, void *data)
{
	const struct reading *reading = data;
	struct nft_element element = { 0 };
	const void *comment;
	uint32_t size = 0;

	element.key_size = copy_value(item, NFTNL_SET_ELEM_KEY, element.key);
	if (nftnl_set_elem_is_set(item, NFTNL_SET_ELEM_DATA))
		element.data_size = copy_value(item, NFTNL_SET_ELEM_DATA, element.data);
	comment = nftnl_set_elem_is_set(item, NFTNL_SET_ELEM_USERDATA)
			  ? nftnl_set_elem_get(item, NFTNL_SET_ELEM_USERDATA, &size)
			  : NULL;
	if (comment)
		(void)nftnl_udata_parse(comment, size, read_comment, &element);
	reading->each(reading->data, &element);
	return 0;
}

static int read_elements(const struct nlmsghdr *message, void *data)
{
	struct reading *reading = data;
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);
	struct nftnl_set *set;

	if (message->nlmsg_type == NLMSG_ERROR) {
		if (reading->code == 0)
			reading->code = answer->error;
		return 0;
	}
	if (message->nlmsg_type != ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM))
		return 0;
	set = nftnl_set_alloc();
	assert(set);
	if (nftnl_set_elems_nlmsg_parse(message, set) == 0)
		(void)nftnl_set_elem_foreach(set, read_element, reading);
	nftnl_set_free(set);
	return 0;
}

static int query_elements(uint8_t family, const char *table, const char *set,
			  const struct nft_element *element, struct reading *reading,
			  struct error *err)
{
	char buffer[MESSAGE_SIZE] = { 0 };
	struct nftnl_set *object = element_of(
		family, table, set, element ? element : &(struct nft_element){ 0 }, false);
	uint16_t flags = element ? NLM_F_ACK : NLM_F_DUMP;
	struct nlmsghdr *header =
		nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETSETELEM, family, flags, 1);
	struct nft_socket socket;
	int r;

	if (element)
		nftnl_set_elems_nlmsg_build_payload(header, object);
	else
		nftnl_set_nlmsg_build_payload(header, object);
	nftnl_set_free(object);
	r = nft_socket_open(&socket, "read nftables elements", err);
	if (r < 0)
		return r;
	r = nft_socket_exchange(&socket, buffer, header->nlmsg_len, 1, read_elements, reading, err);
	nft_socket_close(&socket);
	return r;
}

static void keep_element(void *data, const struct nft_element *element)
{
	struct nft_element *ret = data;

	*ret = *element;
}

int nft_element_find(uint8_t family, const char *table, const char *set,
		     struct nft_element *element, struct error *err)
{
	struct reading reading = { .each = keep_element, .data = element };
	int r = query_elements(family, table, set, element, &reading, err);

	return r == 0 && reading.code ? error_set(err, -reading.code, "find an element of %s", set)
				      : r;
}

int nft_element_list(uint8_t family, const char *table, const char *set,
		     void (*each)(void *data, const struct nft_element *element), void *data,
		     struct error *err)
{
	struct reading reading = { .each = each, .data = data };
	int r = query_elements(family, table, set, NULL, &reading, err);

	if (r == 0 && reading.code && reading.code != -ENOENT)
		r = error_set(err, -reading.code, "list the elements of %s", set);
	return r;
}

static int count_rule(const struct nlmsghdr *message, void *data)
{
	int *count = data;
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type == NLMSG_ERROR && answer->error != -ENOENT)
		*count = answer->error;
	else if (message->nlmsg_type == ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWRULE))
		++*count;
	return 0;
}

int nft_rule_count(uint8_t family, const char *table, const char *chain, struct error *err)
{
	char buffer[MESSAGE_SIZE] = { 0 };
	struct nftnl_rule *rule = nft_rule_new(family, table, chain);
	struct nlmsghdr *header =
		nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETRULE, family, NLM_F_DUMP, 1);
	struct nft_socket socket;
	int count = 0, r;

	nftnl_rule_nlmsg_build_payload(header, rule);
	nftnl_rule_free(rule);
	r = nft_socket_open(&socket, "count nftables rules", err);
	if (r < 0)
		return r;
	r = nft_socket_exchange(&socket, buffer, header->nlmsg_len, 1, count_rule, &count, err);
	nft_socket_close(&socket);
	if (r == 0 && count < 0)
		r = error_set(err, -count, "count the nftables rules of %s", chain);
	return r < 0 ? r : count;
}

int nft_probe(struct error *err)
{
	int count = nft_rule_count(NFPROTO_IPV4, "none", "none", err);

	return count < 0 ? count : 0;
}
