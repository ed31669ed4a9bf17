/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/scheduler/query.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "control-plane/scheduler/query_value.h"

enum node_type { NODE_OR, NODE_AND, NODE_NOT, NODE_TEST };

struct query {
	enum node_type type;
	struct query *left;  /* OR, AND, NOT */
	struct query *right; /* OR, AND */
	struct query_test test;
};

#define DEPTH_MAX     64
#define ARGUMENTS_MAX 64

struct parser {
	const char *text;
	const char *at;
	int depth;
	struct error *err;
};

void query_free(struct query *query)
{
	if (!query)
		return;
	query_free(query->left);
	query_free(query->right);
	query_test_clear(&query->test);
	free(query);
}

void query_free_cleanup(struct query **query)
{
	query_free(*query);
}

static int refuse(struct parser *parser, const char *expected)
{
	return error_say(parser->err, EINVAL,
			 "Invalid expression '%.200s': at character %zu %s was expected.",
			 parser->text, (size_t)(parser->at - parser->text) + 1, expected);
}

static void skip_blanks(struct parser *parser)
{
	while (isspace((unsigned char)*parser->at))
		parser->at++;
}

static bool word_character(char c)
{
	return isalnum((unsigned char)c) || (c != '\0' && strchr("-._/:@*?^$+\\|", c));
}

/* A keyword is a whole word; "order" does not begin with the keyword "or". */
static bool take_keyword(struct parser *parser, const char *keyword)
{
	size_t length = strlen(keyword);

	skip_blanks(parser);
	if (strncasecmp(parser->at, keyword, length) != 0)
		return false;
	if (isalpha((unsigned char)keyword[0]) && word_character(parser->at[length]))
		return false;
	parser->at += length;
	return true;
}

static bool take_symbol(struct parser *parser, const char *symbol)
{
	skip_blanks(parser);
	if (strncmp(parser->at, symbol, strlen(symbol)) != 0)
		return false;
	parser->at += strlen(symbol);
	return true;
}

static int parse_subject(struct parser *parser, struct query_test *test)
{
	const char *begin;

	skip_blanks(parser);
	begin = parser->at;
	while (isalnum((unsigned char)*parser->at) || (*parser->at && strchr("-._/:", *parser->at)))
		parser->at++;
	_cleanup_free_ char *word = xstrndup(begin, (size_t)(parser->at - begin));
	if (query_test_subject(test, word))
		return 0;
	parser->at = begin;
	return refuse(parser, "agentConnected, agentVersion, ec2InstanceId, registeredAt, "
			      "runningTasksCount, task:group or attribute:<name>");
}

static int parse_operator(struct parser *parser, struct query_test *test)
{
	/* Longer symbols first: "==" before "=", "!exists" before "!in". */
	static const struct {
		const char *symbol;
		enum query_operator value;
	} operators[] = {
		{ "==", QUERY_EQUALS },
		{ "!=", QUERY_NOT_EQUALS },
		{ ">=", QUERY_AT_LEAST },
		{ "<=", QUERY_AT_MOST },
		{ ">", QUERY_GREATER },
		{ "<", QUERY_LESS },
		{ "=~", QUERY_MATCHES },
		{ "!~", QUERY_NOT_MATCHES },
		{ "!exists", QUERY_NOT_EXISTS },
		{ "!in", QUERY_NOT_IN },
		{ "exists", QUERY_EXISTS },
		{ "in", QUERY_IN },
		{ "equals", QUERY_EQUALS },
		{ "not_equals", QUERY_NOT_EQUALS },
		{ "greater_than_equal", QUERY_AT_LEAST },
		{ "less_than_equal", QUERY_AT_MOST },
		{ "greater_than", QUERY_GREATER },
		{ "less_than", QUERY_LESS },
		{ "matches", QUERY_MATCHES },
		{ "not_matches", QUERY_NOT_MATCHES },
		{ "not_exists", QUERY_NOT_EXISTS },
		{ "not_in", QUERY_NOT_IN },
	};

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		if (!take_keyword(parser, operators[i].symbol))
			continue;
		test->comparison = operators[i].value;
		if (query_test_allows(test))
			return 0;
		return refuse(parser, "an operator that this subject has");
	}
	return refuse(parser, "an operator");
}

static int parse_literal(struct parser *parser, char **ret_literal)
{
	const char *begin;

	skip_blanks(parser);
	if (*parser->at == '\'' || *parser->at == '"') {
		char quote = *parser->at++;

		begin = parser->at;
		while (*parser->at && *parser->at != quote)
			parser->at++;
		if (!*parser->at)
			return refuse(parser, "the closing quote");
		*ret_literal = xstrndup(begin, (size_t)(parser->at - begin));
		parser->at++;
		return 0;
	}
	begin = parser->at;
	while (word_character(*parser->at))
		parser->at++;
	if (parser->at == begin)
		return refuse(parser, "a value");
	*ret_literal = xstrndup(begin, (size_t)(parser->at - begin));
	return 0;
}

static int parse_arguments(struct parser *parser, struct query_test *test)
{
	bool is_list;

	if (test->comparison == QUERY_EXISTS || test->comparison == QUERY_NOT_EXISTS)
		return 0;
	is_list = test->comparison == QUERY_IN || test->comparison == QUERY_NOT_IN;
	test->values = xcalloc(ARGUMENTS_MAX, sizeof(*test->values));
	if (is_list && !take_symbol(parser, "["))
		return refuse(parser, "'['");
	do {
		int r;

		if (test->value_count == ARGUMENTS_MAX)
			return refuse(parser, "a shorter list");
		r = parse_literal(parser, &test->values[test->value_count]);
		if (r < 0)
			return r;
		test->value_count++;
	} while (is_list && take_symbol(parser, ","));
	if (is_list && !take_symbol(parser, "]"))
		return refuse(parser, "',' or ']'");
	return query_test_prepare(test, parser->err);
}

static struct query *node_new(enum node_type type, struct query *left, struct query *right)
{
	struct query *node = xcalloc(1, sizeof(*node));

	node->type = type;
	node->left = left;
	node->right = right;
	return node;
}

static int parse_or(struct parser *parser, struct query **ret_query);

static int parse_not(struct parser *parser, struct query **ret_query)
{
	_cleanup_(query_free_cleanup) struct query *query = NULL;
	int r;

	if (++parser->depth > DEPTH_MAX)
		return refuse(parser, "less nesting");
	skip_blanks(parser);
	if (take_symbol(parser, "!") || take_keyword(parser, "not")) {
		r = parse_not(parser, &query);
		if (r == 0)
			query = node_new(NODE_NOT, query, NULL);
	} else if (take_symbol(parser, "(")) {
		r = parse_or(parser, &query);
		if (r == 0 && !take_symbol(parser, ")"))
			r = refuse(parser, "')'");
	} else {
		query = node_new(NODE_TEST, NULL, NULL);
		r = parse_subject(parser, &query->test);
		if (r == 0)
			r = parse_operator(parser, &query->test);
		if (r == 0)
			r = parse_arguments(parser, &query->test);
	}
	parser->depth--;
	if (r < 0)
		return r;
	*ret_query = TAKE(query);
	return 0;
}

static int parse_and(struct parser *parser, struct query **ret_query)
{
	_cleanup_(query_free_cleanup) struct query *query = NULL;
	int r = parse_not(parser, &query);

	while (r == 0 && (take_symbol(parser, "&&") || take_keyword(parser, "and"))) {
		struct query *right = NULL;

		r = parse_not(parser, &right);
		if (r == 0)
			query = node_new(NODE_AND, query, right);
	}
	if (r < 0)
		return r;
	*ret_query = TAKE(query);
	return 0;
}

static int parse_or(struct parser *parser, struct query **ret_query)
{
	_cleanup_(query_free_cleanup) struct query *query = NULL;
	int r = parse_and(parser, &query);

	while (r == 0 && (take_symbol(parser, "||") || take_keyword(parser, "or"))) {
		struct query *right = NULL;

		r = parse_and(parser, &right);
		if (r == 0)
			query = node_new(NODE_OR, query, right);
	}
	if (r < 0)
		return r;
	*ret_query = TAKE(query);
	return 0;
}

int query_parse(const char *text, struct query **ret_query, struct error *err)
{
	_cleanup_(query_free_cleanup) struct query *query = NULL;
	struct parser parser = { .text = text, .at = text, .err = err };
	int r;

	if (!text || text[0] == '\0')
		return error_say(err, EINVAL, "Expression can not be blank.");
	if (strlen(text) > QUERY_TEXT_MAX)
		return error_say(err, EINVAL,
				 "Invalid expression: it has %zu characters, at most %d are taken.",
				 strlen(text), QUERY_TEXT_MAX);
	r = parse_or(&parser, &query);
	if (r < 0)
		return r;
	skip_blanks(&parser);
	if (*parser.at)
		return refuse(&parser, "and, or, or the end");
	*ret_query = TAKE(query);
	return 0;
}

bool query_matches(const struct query *query, const struct scheduler_instance *instance)
{
	switch (query->type) {
	case NODE_OR:
		return query_matches(query->left, instance) ||
		       query_matches(query->right, instance);
	case NODE_AND:
		return query_matches(query->left, instance) &&
		       query_matches(query->right, instance);
	case NODE_NOT:
		return !query_matches(query->left, instance);
	case NODE_TEST:
		return query_test_holds(&query->test, instance);
	}
	return false;
}
