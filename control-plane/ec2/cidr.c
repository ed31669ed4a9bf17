/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/ec2/cidr.h"

#include <sys/socket.h>

#include "control-plane/services/subnet.h"

enum { PREFIX_MIN = 16, PREFIX_MAX = 28 };

static int parse(struct ec2_call *call, const char *text, int family, struct ip_prefix *ret)
{
	if (ip_prefix_parse(text, ret, NULL) < 0 || ret->address.family != family)
		return ec2_error(call, EC2_INVALID, "CIDR block %s is malformed", text);
	*ret = ip_prefix_network(ret);
	return 0;
}

int ec2_cidr_of_network(struct ec2_call *call, const char *range_code, char ret_cidr[IP_TEXT_SIZE])
{
	struct ip_prefix prefix = { 0 };
	const char *text = NULL;
	int r = ec2_param_required(call, "CidrBlock", &text);

	if (r < 0)
		return r;
	if (ip_prefix_parse(text, &prefix, NULL) < 0 || prefix.address.family != AF_INET)
		return ec2_error(call, EC2_INVALID,
				 "Value (%s) for parameter cidrBlock is invalid. This is not a "
				 "valid CIDR block.",
				 text);
	if (prefix.length < PREFIX_MIN || prefix.length > PREFIX_MAX)
		return ec2_error(call, range_code, "The CIDR '%s' is invalid.", text);
	prefix = ip_prefix_network(&prefix);
	ip_prefix_format(&prefix, ret_cidr);
	return 0;
}

int ec2_cidr_of_ipv6(struct ec2_call *call, const char *text, unsigned int min, unsigned int max,
		     unsigned int step, const char *range_code, char ret_cidr[IP_TEXT_SIZE])
{
	struct ip_prefix prefix = { 0 };

	if (ip_prefix_parse(text, &prefix, NULL) < 0 || prefix.address.family != AF_INET6)
		return ec2_error(call, EC2_INVALID,
				 "Value (%s) for parameter ipv6CidrBlock is invalid. This is not a "
				 "valid CIDR block.",
				 text);
	if (prefix.length < min || prefix.length > max || (prefix.length - min) % step != 0)
		return ec2_error(call, range_code, "The CIDR '%s' is invalid.", text);
	prefix = ip_prefix_network(&prefix);
	ip_prefix_format(&prefix, ret_cidr);
	return 0;
}

int ec2_cidr_of_rule(struct ec2_call *call, const char *text, int family,
		     char ret_cidr[IP_TEXT_SIZE])
{
	struct ip_prefix prefix = { 0 };
	int r = parse(call, text, family, &prefix);

	if (r == 0)
		ip_prefix_format(&prefix, ret_cidr);
	return r;
}

bool ec2_cidr_is_inside(const char *blocks, const char *cidr)
{
	_cleanup_str_list_ struct str_list list = STR_LIST_INIT;
	struct ip_prefix inner, outer;

	str_list_split(&list, blocks, ' ', false);
	if (ip_prefix_parse(cidr, &inner, NULL) < 0)
		return false;
	for (size_t i = 0; i < list.count; i++)
		if (ip_prefix_parse(list.items[i], &outer, NULL) == 0 &&
		    outer.length <= inner.length && ip_prefix_contains(&outer, &inner.address))
			return true;
	return false;
}

bool ec2_cidr_overlaps(const char *blocks, const char *cidr)
{
	_cleanup_str_list_ struct str_list list = STR_LIST_INIT;

	str_list_split(&list, blocks, ' ', false);
	for (size_t i = 0; i < list.count; i++)
		if (subnet_cidrs_overlap(list.items[i], cidr))
			return true;
	return false;
}
