/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_API_SHAPE_H
#define BERTH_CONTROL_API_SHAPE_H

#include <jansson.h>

#include "base/error.h"

/*
 * The types that an operation's input may have, as a table. Input is brought into shape once,
 *before the handler: types are checked, null members taken away, unknown members dropped
 *. After that a handler may use jansson's getters without asking for types.
 *
 *	static const struct api_member stop_task_input[] = {
 *		{ "cluster", API_STRING }, { "task", API_STRING }, { "reason", API_STRING }, { 0 },
 *	};
 */
enum api_type {
	API_STRING = 1,
	API_INTEGER, /* 32 bits signed */
	API_LONG,    /* 64 bits signed */
	API_DOUBLE,
	API_BOOLEAN,
	API_TIMESTAMP, /* a JSON number of epoch seconds; an ISO 8601 string is taken as well */
	API_STRUCT,    /* members: of the object */
	API_STRINGS,   /* list of strings */
	API_INTEGERS,  /* list of integers */
	API_STRUCTS,   /* list of objects with members */
	API_STRING_MAP,
	API_ANY, /* kept as it is, nulls inside too */
};

struct api_member {
	const char *name; /* NULL ends the table */
	enum api_type type;
	const struct api_member *members; /* API_STRUCT and API_STRUCTS */
};

/*
 * A new object with the known members of `input`. -EINVAL with a sentence that names the place:
 * "containerDefinitions[0].cpu: must be an integer, got a string".
 */
int api_shape(const struct api_member *members, json_t *input, json_t **ret_object,
	      struct error *err);

#endif
