/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nft.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

static int say_refusal(struct nft_ctx *context, struct error *err)
{
	const char *text = nft_ctx_get_error_buffer(context);
	int length = text ? (int)strcspn(text, "\n") : 0;

	if (length == 0)
		return error_say(err, EINVAL, "nftables refused the rules and did not say why");
	return error_say(err, EINVAL, "nftables refused the rules: %.*s", length, text);
}

int nft_query(const char *commands, char **ret_output, struct error *err)
{
	struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);
	int r = 0;

	if (!context)
		return error_say(err, EIO, "open nftables: libnftables gave no context");
	nft_ctx_buffer_output(context);
	nft_ctx_buffer_error(context);
	if (nft_run_cmd_from_buffer(context, commands) != 0) {
		r = say_refusal(context, err);
	} else if (ret_output) {
		const char *output = nft_ctx_get_output_buffer(context);

		*ret_output = xstrdup(output ? output : "");
	}
	nft_ctx_free(context);
	return r;
}

int nft_run(const char *commands, struct error *err)
{
	return nft_query(commands, NULL, err);
}

int nft_delete_table(const char *family, const char *table, struct error *err)
{
	/* Adding one that exists changes nothing, and both are one transaction. */
	_cleanup_free_ char *commands =
		xasprintf("add table %s %s\ndelete table %s %s\n", family, table, family, table);

	return nft_run(commands, err);
}
