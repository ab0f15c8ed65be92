
/*
 * Copyright (C) ngx_egress authors
 *
 * egress_network_filter { }: reads the block and answers for an address.
 * What is done with the answer is in ngx_egress_policy.c.
 */


#include "ngx_egress_filter.h"


static char *ngx_egress_filter_rule(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_egress_filter_rule_flag(ngx_conf_t *cf,
    ngx_egress_filter_rule_t *rule, ngx_str_t *word);
static char *ngx_egress_filter_add(ngx_conf_t *cf,
    ngx_egress_filter_t *filter, ngx_str_t *text,
    ngx_egress_filter_rule_t *flags);
static char *ngx_egress_filter_set_default(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

static ngx_egress_filter_t *ngx_egress_filter_create(ngx_conf_t *cf);
static ngx_int_t ngx_egress_filter_build(ngx_conf_t *cf,
    ngx_egress_filter_t *filter);
static ngx_int_t ngx_egress_filter_insert_all(ngx_egress_filter_t *filter,
    ngx_uint_t deny);
static ngx_int_t ngx_egress_filter_insert_builtin(ngx_conf_t *cf,
    ngx_egress_filter_t *filter, const char **ranges, ngx_uint_t always);
static ngx_int_t ngx_egress_filter_insert(ngx_egress_filter_t *filter,
    ngx_egress_filter_rule_t *rule);

static const ngx_egress_filter_rule_t *ngx_egress_filter_match4(
    ngx_egress_filter_t *filter, uint32_t addr);
static const ngx_egress_filter_rule_t *ngx_egress_filter_match6(
    ngx_egress_filter_t *filter, u_char *p);
static const ngx_egress_filter_rule_t *ngx_egress_filter_match_inner(
    ngx_egress_filter_t *filter, u_char *p);
static const ngx_egress_filter_rule_t *ngx_egress_filter_verdict(
    ngx_egress_filter_t *filter, uintptr_t always, uintptr_t found);


static ngx_command_t  ngx_egress_filter_commands[] = {

    { ngx_string("allow"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_egress_filter_rule,
      0,
      0,
      NULL },

    { ngx_string("deny"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_egress_filter_rule,
      0,
      1,
      NULL },

    { ngx_string("default"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_filter_set_default,
      0,
      0,
      NULL },

    { ngx_string("special_purpose"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_filter_set_default,
      0,
      offsetof(ngx_egress_filter_t, special),
      NULL },

    { ngx_string("report"),
      NGX_EGRESS_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_egress_filter_t, report),
      NULL },

      ngx_null_command
};


/* IANA's special-purpose registries, multicast and reserved space */

static const char  *ngx_egress_filter_special[] = {
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
    "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
    "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
    "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",

    "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48",
    "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16",
    "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
    "fec0::/10", "ff00::/8",
    NULL
};


/* instance metadata of the clouds: credentials for whoever asks */

static const char  *ngx_egress_filter_metadata[] = {
    "169.254.169.254/32", "169.254.170.2/32", "100.100.100.200/32",
    "fd00:ec2::254/128", "fd20:ce::254/128",
    NULL
};


/* what "default deny" is called in the log */

static const ngx_egress_filter_rule_t  ngx_egress_filter_rest = {
    { 0 }, ngx_string("default"), 1, 0, 0
};


const ngx_egress_filter_rule_t *
ngx_egress_filter_match(ngx_egress_filter_t *filter, struct sockaddr *sa)
{
    struct sockaddr_in              *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6             *sin6;
    const ngx_egress_filter_rule_t  *rule;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return ngx_egress_filter_match4(filter, ntohl(sin->sin_addr.s_addr));

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        rule = ngx_egress_filter_match6(filter, sin6->sin6_addr.s6_addr);
        if (rule) {
            return rule;
        }

        return ngx_egress_filter_match_inner(filter, sin6->sin6_addr.s6_addr);
#endif

    default:
        return NULL;
    }
}


static const ngx_egress_filter_rule_t *
ngx_egress_filter_match4(ngx_egress_filter_t *filter, uint32_t addr)
{
    return ngx_egress_filter_verdict(filter,
                              ngx_radix32tree_find(filter->always4, addr),
                              ngx_radix32tree_find(filter->tree4, addr));
}


#if (NGX_HAVE_INET6)

static const ngx_egress_filter_rule_t *
ngx_egress_filter_match6(ngx_egress_filter_t *filter, u_char *p)
{
    return ngx_egress_filter_verdict(filter,
                              ngx_radix128tree_find(filter->always6, p),
                              ngx_radix128tree_find(filter->tree6, p));
}


/*
 * An allowed IPv6 range must not be a back door to IPv4 addresses: mapped and
 * compatible (RFC 4291), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo
 * (RFC 4380: server, and the client's address inverted).
 */

static const ngx_egress_filter_rule_t *
ngx_egress_filter_match_inner(ngx_egress_filter_t *filter, u_char *p)
{
    uint32_t                         last;
    const ngx_egress_filter_rule_t  *rule;
    static const u_char              zeros[12];
    static const u_char              mapped[12] = { [10] = 0xff, 0xff };
    static const u_char              nat64[12] = { 0, 0x64, 0xff, 0x9b };
    static const u_char              local[6] = { 0, 0x64, 0xff, 0x9b, 0, 1 };

    last = ngx_egress_get32(p + 12);

    if (ngx_memcmp(p, mapped, 12) == 0
        || ngx_memcmp(p, nat64, 12) == 0
        || ngx_memcmp(p, local, 6) == 0
        || (ngx_memcmp(p, zeros, 12) == 0 && last > 1))
    {
        return ngx_egress_filter_match4(filter, last);
    }

    if (p[0] == 0x20 && p[1] == 0x02) {
        return ngx_egress_filter_match4(filter, ngx_egress_get32(p + 2));
    }

    if (ngx_memcmp(p, "\x20\x01\0\0", 4) == 0) {
        rule = ngx_egress_filter_match4(filter, ngx_egress_get32(p + 4));

        return rule ? rule : ngx_egress_filter_match4(filter, ~last);
    }

    return NULL;
}

#endif


static const ngx_egress_filter_rule_t *
ngx_egress_filter_verdict(ngx_egress_filter_t *filter, uintptr_t always,
    uintptr_t found)
{
    ngx_egress_filter_rule_t  *rule;

    if (always != NGX_RADIX_NO_VALUE) {
        return (ngx_egress_filter_rule_t *) always;
    }

    if (found == NGX_RADIX_NO_VALUE) {
        return filter->deny_rest ? &ngx_egress_filter_rest : NULL;
    }

    rule = (ngx_egress_filter_rule_t *) found;

    return rule->deny ? rule : NULL;
}


char *
ngx_egress_filter_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    char                  *rv;
    ngx_egress_block_t     block;
    ngx_egress_filter_t   *filter, **filterp;

    filterp = (ngx_egress_filter_t **) (p + cmd->offset);

    if (*filterp) {
        return ngx_egress_is_duplicate;
    }

    filter = ngx_egress_filter_create(cf);
    if (filter == NULL) {
        return NGX_CONF_ERROR;
    }

    *filterp = filter;

    block.commands = ngx_egress_filter_commands;
    block.conf = filter;

    rv = ngx_egress_conf_block(cf, &block, 1);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_egress_filter_build(cf, filter) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_egress_filter_t *
ngx_egress_filter_default(ngx_conf_t *cf)
{
    ngx_egress_filter_t  *filter;

    filter = ngx_egress_filter_create(cf);
    if (filter == NULL) {
        return NULL;
    }

    return ngx_egress_filter_build(cf, filter) == NGX_OK ? filter : NULL;
}


static ngx_egress_filter_t *
ngx_egress_filter_create(ngx_conf_t *cf)
{
    ngx_egress_filter_t  *filter;

    filter = ngx_pcalloc(cf->pool, sizeof(ngx_egress_filter_t));
    if (filter == NULL) {
        return NULL;
    }

    filter->special = NGX_CONF_UNSET;
    filter->report = NGX_CONF_UNSET;

    if (ngx_array_init(&filter->rules, cf->pool, 8,
                       sizeof(ngx_egress_filter_rule_t))
        != NGX_OK)
    {
        return NULL;
    }

    return filter;
}


static char *
ngx_egress_filter_rule(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_int_t                  rc;
    ngx_str_t                 *value;
    ngx_uint_t                 i, n;
    ngx_egress_filter_rule_t   flags;

    value = cf->args->elts;

    ngx_memzero(&flags, sizeof(ngx_egress_filter_rule_t));
    flags.deny = (cmd->offset != 0);

    for (n = cf->args->nelts; n > 2; n--) {
        rc = ngx_egress_filter_rule_flag(cf, &flags, &value[n - 1]);

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_DECLINED) {
            break;
        }
    }

    for (i = 1; i < n; i++) {
        rv = ngx_egress_filter_add(cf, conf, &value[i], &flags);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_egress_filter_rule_flag(ngx_conf_t *cf, ngx_egress_filter_rule_t *rule,
    ngx_str_t *word)
{
    if (ngx_strcmp(word->data, "always") == 0) {
        rule->always = 1;

    } else if (ngx_strcmp(word->data, "report") == 0) {
        rule->report = 1;

    } else {
        return NGX_DECLINED;
    }

    if (!rule->deny) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is for \"deny\" only", word);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_egress_filter_add(ngx_conf_t *cf, ngx_egress_filter_t *filter,
    ngx_str_t *text, ngx_egress_filter_rule_t *flags)
{
    ngx_int_t                  rc;
    ngx_egress_filter_rule_t  *rule;

    rule = ngx_array_push(&filter->rules);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    *rule = *flags;
    rule->text = *text;

    rc = ngx_ptocidr(text, &rule->cidr);

    if (rc == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid address or network \"%V\"%s", text,
                           ngx_strcmp(text->data, "all") == 0
                           ? ", use \"default\" for all others" : "");
        return NGX_CONF_ERROR;
    }

    if (rc == NGX_DONE) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "low address bits of %V are meaningless", text);
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_filter_set_default(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_filter_t *filter = conf;

    ngx_str_t   *value;
    ngx_uint_t   deny;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "deny") == 0) {
        deny = 1;

    } else if (ngx_strcmp(value[1].data, "allow") == 0) {
        deny = 0;

    } else {
        return "takes \"allow\" or \"deny\"";
    }

    if (cmd->offset) {

        if (filter->special != NGX_CONF_UNSET) {
            return ngx_egress_is_duplicate;
        }

        filter->special = deny;

        return NGX_CONF_OK;
    }

    if (filter->default_set) {
        return ngx_egress_is_duplicate;
    }

    filter->default_set = 1;
    filter->deny_rest = deny;

    return NGX_CONF_OK;
}


/*
 * The trees keep what is inserted first under a prefix: hence the order of
 * "deny", "allow", and the ranges that a rule may lift.
 */

static ngx_int_t
ngx_egress_filter_build(ngx_conf_t *cf, ngx_egress_filter_t *filter)
{
    ngx_conf_init_value(filter->special, 1);
    ngx_conf_init_value(filter->report, 0);

    filter->tree4 = ngx_radix_tree_create(cf->pool, 0);
    filter->tree6 = ngx_radix_tree_create(cf->pool, 0);
    filter->always4 = ngx_radix_tree_create(cf->pool, 0);
    filter->always6 = ngx_radix_tree_create(cf->pool, 0);

    if (filter->tree4 == NULL || filter->tree6 == NULL
        || filter->always4 == NULL || filter->always6 == NULL)
    {
        return NGX_ERROR;
    }

    if (ngx_egress_filter_insert_all(filter, 1) != NGX_OK
        || ngx_egress_filter_insert_all(filter, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_egress_filter_insert_builtin(cf, filter,
                                         ngx_egress_filter_metadata, 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!filter->special) {
        return NGX_OK;
    }

    return ngx_egress_filter_insert_builtin(cf, filter,
                                            ngx_egress_filter_special, 0);
}


static ngx_int_t
ngx_egress_filter_insert_all(ngx_egress_filter_t *filter, ngx_uint_t deny)
{
    ngx_uint_t                 i;
    ngx_egress_filter_rule_t  *rule;

    rule = filter->rules.elts;

    for (i = 0; i < filter->rules.nelts; i++) {

        if (rule[i].deny != deny) {
            continue;
        }

        if (ngx_egress_filter_insert(filter, &rule[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_egress_filter_insert_builtin(ngx_conf_t *cf, ngx_egress_filter_t *filter,
    const char **ranges, ngx_uint_t always)
{
    ngx_uint_t                 i;
    ngx_egress_filter_rule_t  *rule;

    for (i = 0; ranges[i]; i++) {

        rule = ngx_pcalloc(cf->pool, sizeof(ngx_egress_filter_rule_t));
        if (rule == NULL) {
            return NGX_ERROR;
        }

        rule->text.len = ngx_strlen(ranges[i]);
        rule->text.data = (u_char *) ranges[i];
        rule->deny = 1;
        rule->always = always;

        if (ngx_ptocidr(&rule->text, &rule->cidr) != NGX_OK) {
            ngx_log_error(NGX_LOG_ALERT, cf->log, 0,
                          "built-in network \"%V\" is malformed",
                          &rule->text);
            return NGX_ERROR;
        }

        if (ngx_egress_filter_insert(filter, rule) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_egress_filter_insert(ngx_egress_filter_t *filter,
    ngx_egress_filter_rule_t *rule)
{
    ngx_int_t          rc;
    ngx_cidr_t        *cidr;
    ngx_radix_tree_t  *tree;

    cidr = &rule->cidr;

#if (NGX_HAVE_INET6)

    if (cidr->family == AF_INET6) {
        tree = rule->always ? filter->always6 : filter->tree6;

        rc = ngx_radix128tree_insert(tree, cidr->u.in6.addr.s6_addr,
                                     cidr->u.in6.mask.s6_addr,
                                     (uintptr_t) rule);

    } else
#endif

    {
        tree = rule->always ? filter->always4 : filter->tree4;

        rc = ngx_radix32tree_insert(tree, ntohl(cidr->u.in.addr),
                                    ntohl(cidr->u.in.mask), (uintptr_t) rule);
    }

    return rc == NGX_BUSY ? NGX_OK : rc;
}
