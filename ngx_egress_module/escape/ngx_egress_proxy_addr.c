
/*
 * Copyright (C) ngx_egress authors
 *
 * Picks the next proxy of a task and, when that fails, the one after it.
 * Speaks to none of them: that is the escaper type's.
 */


#include "ngx_egress_proxy_addr.h"
#include "../task/ngx_egress_filter.h"


/* The proxies of one hop, in the order in which they are tried. */
struct ngx_egress_proxy_choice_s {
    ngx_egress_proxy_addr_t  *proxy;
    ngx_uint_t                order[NGX_EGRESS_PICK_MAX];
    ngx_uint_t                n;
    ngx_uint_t                next;
};


static ngx_int_t ngx_egress_proxy_addr_judge(ngx_egress_task_t *task);
static ngx_int_t ngx_egress_proxy_addr_choose(ngx_egress_task_t *task,
    ngx_egress_proxy_addr_t *proxy);
static ngx_int_t ngx_egress_proxy_addr_key(ngx_egress_task_t *task,
    ngx_str_t *key);
static void ngx_egress_proxy_addr_bind(ngx_egress_hop_t *hop,
    ngx_egress_proxy_addr_t *proxy);
static void ngx_egress_proxy_addr_done(ngx_egress_hop_t *hop,
    ngx_uint_t reason);
static ngx_uint_t ngx_egress_proxy_addr_retriable(ngx_egress_hop_t *hop,
    ngx_uint_t reason);

static char *ngx_egress_proxy_addr(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_proxy_addr_add(ngx_conf_t *cf,
    ngx_egress_proxy_addr_t *proxy, ngx_str_t *value);
static char *ngx_egress_proxy_addr_bind_ip(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


ngx_command_t  ngx_egress_proxy_addr_commands[] = {

    { ngx_string("proxy_addr"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_egress_proxy_addr,
      0,
      0,
      NULL },

    { ngx_string("proxy_addr_pick_policy"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      0,
      offsetof(ngx_egress_proxy_addr_t, pick)
      + offsetof(ngx_egress_pick_t, policy),
      &ngx_egress_pick_policies },

    { ngx_string("bind_ipv4"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_proxy_addr_bind_ip,
      0,
      offsetof(ngx_egress_proxy_addr_t, bind4),
      NULL },

    { ngx_string("bind_ipv6"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_proxy_addr_bind_ip,
      0,
      offsetof(ngx_egress_proxy_addr_t, bind6),
      NULL },

    { ngx_string("egress_network_filter"),
      NGX_EGRESS_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_egress_filter_block,
      0,
      offsetof(ngx_egress_proxy_addr_t, filter),
      NULL },

      ngx_null_command
};


ngx_int_t
ngx_egress_proxy_addr_select(ngx_egress_task_t *task)
{
    ngx_egress_hop_t         *hop;
    ngx_egress_path_t        *path;
    ngx_egress_proxy_addr_t  *proxy;

    proxy = task->escaper->proxy;

    hop = ngx_egress_hop_create(task);
    if (hop == NULL) {
        return NGX_ERROR;
    }

    task->hop = hop;

    if (ngx_egress_proxy_addr_judge(task) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_egress_proxy_addr_bind(hop, proxy);

    path = ngx_egress_task_path(task, task->escaper,
                                NGX_EGRESS_PATH_UPSTREAM);
    if (path) {
        hop->addr = path->addr;
        hop->sticky_key = path->value;
        return NGX_OK;
    }

    hop->no_filter = 1;

    return ngx_egress_proxy_addr_choose(task, proxy);
}


/* Nobody can judge a name here: the next proxy has to judge its addresses. */

static ngx_int_t
ngx_egress_proxy_addr_judge(ngx_egress_task_t *task)
{
    socklen_t            socklen;
    ngx_sockaddr_t       sa;
    ngx_egress_reason_e  reason;

    if (task->target.family == AF_UNSPEC) {
        return NGX_OK;
    }

    socklen = ngx_egress_addr_sockaddr(&task->target, &sa.sockaddr);

    if (ngx_egress_judge(task->hop, &sa.sockaddr, socklen, &reason) == NGX_OK)
    {
        return NGX_OK;
    }

    task->reason = reason;

    return NGX_ERROR;
}


static ngx_int_t
ngx_egress_proxy_addr_choose(ngx_egress_task_t *task,
    ngx_egress_proxy_addr_t *proxy)
{
    ngx_str_t                   key;
    ngx_egress_hop_t           *hop;
    ngx_egress_addr_t          *addrs;
    ngx_egress_proxy_choice_t  *choice;

    hop = task->hop;

    choice = ngx_palloc(task->pool, sizeof(ngx_egress_proxy_choice_t));
    if (choice == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&key);

    if (ngx_egress_pick_hashes(&proxy->pick)
        && ngx_egress_proxy_addr_key(task, &key) != NGX_OK)
    {
        return NGX_ERROR;
    }

    choice->proxy = proxy;
    choice->n = ngx_egress_pick(&proxy->pick, &key, choice->order);
    choice->next = 1;

    addrs = proxy->addrs.elts;

    hop->addr = addrs[choice->order[0]];
    hop->choice = choice;
    hop->done = ngx_egress_proxy_addr_done;

    return NGX_OK;
}


/* g3's <client-ip>[-<username>]-<upstream-host> */

static ngx_int_t
ngx_egress_proxy_addr_key(ngx_egress_task_t *task, ngx_str_t *key)
{
    u_char     *p;
    ngx_str_t   client;

    ngx_str_null(&client);

    if (task->client) {
        client = task->client->addr_text;
    }

    key->len = client.len + 1 + task->user.len + 1 + task->target.host.len;

    p = ngx_pnalloc(task->pool, key->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->data = p;
    key->len = ngx_sprintf(p, "%V%s%V-%V", &client, task->user.len ? "-" : "",
                           &task->user, &task->target.host)
               - p;

    return NGX_OK;
}


/*
 * A hop with a local address of one family uses no other, but here the other
 * family is merely not bound: it gets the unspecified address.
 */

static void
ngx_egress_proxy_addr_bind(ngx_egress_hop_t *hop,
    ngx_egress_proxy_addr_t *proxy)
{
    static struct sockaddr_in   any4 = { .sin_family = AF_INET };
    static struct sockaddr_in6  any6 = { .sin6_family = AF_INET6 };

    if (proxy->bind4 == NULL && proxy->bind6 == NULL) {
        return;
    }

    hop->bind4 = proxy->bind4 ? proxy->bind4 : (struct sockaddr *) &any4;
    hop->bind6 = proxy->bind6 ? proxy->bind6 : (struct sockaddr *) &any6;
}


static void
ngx_egress_proxy_addr_done(ngx_egress_hop_t *hop, ngx_uint_t reason)
{
    ngx_str_t                  *name;
    ngx_egress_addr_t          *addrs;
    ngx_egress_pick_node_t     *nodes;
    ngx_egress_proxy_choice_t  *choice;

    choice = hop->choice;

    if (reason == NGX_EGRESS_NONE
        || choice->next == choice->n
        || !ngx_egress_proxy_addr_retriable(hop, reason))
    {
        ngx_egress_task_hop_done(hop, reason);
        return;
    }

    addrs = choice->proxy->addrs.elts;
    nodes = choice->proxy->nodes.elts;

    name = &nodes[choice->order[choice->next - 1]].name;

    ngx_log_error(NGX_LOG_WARN, hop->task->log, 0,
                  "next proxy \"%V\" failed: %V, trying \"%V\"", name,
                  &ngx_egress_reason(reason)->name,
                  &nodes[choice->order[choice->next]].name);

    hop->task->reason = NGX_EGRESS_NONE;
    hop->addr = addrs[choice->order[choice->next++]];

    ngx_egress_connect(hop);
}


/* What another proxy may do better; a "no" to this target is an answer. */

static ngx_uint_t
ngx_egress_proxy_addr_retriable(ngx_egress_hop_t *hop, ngx_uint_t reason)
{
    switch (reason) {

    case NGX_EGRESS_SELF_CONNECT:
    case NGX_EGRESS_DNS_ERROR:
    case NGX_EGRESS_DNS_NXDOMAIN:
    case NGX_EGRESS_DNS_NO_ADDRESS:
    case NGX_EGRESS_DNS_TIMEOUT:
    case NGX_EGRESS_DNS_DENIED:
    case NGX_EGRESS_CONNECTION_REFUSED:
    case NGX_EGRESS_CONNECTION_TIMEOUT:
    case NGX_EGRESS_CONNECTION_RESET:
    case NGX_EGRESS_CONNECTION_FAILED:
    case NGX_EGRESS_NETWORK_UNREACHABLE:
    case NGX_EGRESS_HOST_UNREACHABLE:
    case NGX_EGRESS_PROXY_ERROR:
    case NGX_EGRESS_PROXY_TIMEOUT:
        return 1;

    case NGX_EGRESS_TLS_ERROR:
    case NGX_EGRESS_TLS_CERTIFICATE:
    case NGX_EGRESS_TLS_TIMEOUT:
        return hop->tls != NULL;

    default:
        return 0;
    }
}


char *
ngx_egress_proxy_addr_create(ngx_conf_t *cf, ngx_egress_escaper_t *e)
{
    ngx_egress_proxy_addr_t  *proxy;

    proxy = ngx_pcalloc(cf->pool, sizeof(ngx_egress_proxy_addr_t));
    if (proxy == NULL) {
        return NGX_CONF_ERROR;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     proxy->port = 0;
     *     proxy->bind4 = NULL;
     *     proxy->bind6 = NULL;
     *     proxy->filter = NULL;
     */

    proxy->pick.policy = NGX_CONF_UNSET_UINT;

    if (ngx_array_init(&proxy->addrs, cf->pool, 2, sizeof(ngx_egress_addr_t))
        != NGX_OK
        || ngx_array_init(&proxy->nodes, cf->pool, 2,
                          sizeof(ngx_egress_pick_node_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    e->proxy = proxy;

    return NGX_CONF_OK;
}


char *
ngx_egress_proxy_addr_init(ngx_conf_t *cf, ngx_egress_escaper_t *e)
{
    ngx_uint_t                i;
    ngx_egress_addr_t        *addrs;
    ngx_egress_proxy_addr_t  *proxy;

    proxy = e->proxy;

    ngx_conf_init_uint_value(proxy->pick.policy, NGX_EGRESS_PICK_RANDOM);

    e->connect.filter = proxy->filter;

    if (proxy->addrs.nelts == 0) {
        return ngx_egress_conf_error(cf, &e->object,
                                     "escaper \"%V\" has no \"proxy_addr\"",
                                     &e->object.name);
    }

    if ((proxy->bind4 && e->connect.no_ipv4)
        || (proxy->bind6 && e->connect.no_ipv6))
    {
        return ngx_egress_conf_error(cf, &e->object,
                                     "\"%s\" is of a family that escaper "
                                     "\"%V\" does not use",
                                     e->connect.no_ipv4 ? "bind_ipv4"
                                                        : "bind_ipv6",
                                     &e->object.name);
    }

    addrs = proxy->addrs.elts;

    for (i = 0; i < proxy->addrs.nelts; i++) {
        if (addrs[i].family == AF_UNSPEC && e->connect.resolver == NULL) {
            return ngx_egress_conf_error(cf, &e->object,
                                         "proxy_addr \"%V\" is a name, so "
                                         "escaper \"%V\" needs a \"resolver\"",
                                         &addrs[i].host, &e->object.name);
        }
    }

    proxy->pick.nodes = proxy->nodes.elts;
    proxy->pick.n = proxy->nodes.nelts;

    return ngx_egress_pick_init(&proxy->pick, cf->pool) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_egress_proxy_addr(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_proxy_addr_t *proxy = conf;

    char        *rv;
    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        /* a weight belongs to an address of this directive */

        rc = ngx_egress_pick_weight(cf, (i > 1) ? &proxy->nodes : NULL,
                                    &value[i]);
        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_OK) {
            continue;
        }

        rv = ngx_egress_proxy_addr_add(cf, proxy, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/* What hashes is the normal form: it may be written in different ways. */

static char *
ngx_egress_proxy_addr_add(ngx_conf_t *cf, ngx_egress_proxy_addr_t *proxy,
    ngx_str_t *value)
{
    u_char                  *p;
    ngx_str_t                name;
    ngx_uint_t               i;
    ngx_egress_addr_t       *addr;
    ngx_egress_pick_node_t  *node;

    p = ngx_pnalloc(cf->pool, ngx_max(value->len, NGX_EGRESS_IP_LEN)
                              + NGX_EGRESS_ADDR_LEN);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    addr = ngx_array_push(&proxy->addrs);
    if (addr == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_egress_addr_parse(addr, p, value->data, value->len,
                              NGX_EGRESS_PORT_DEFAULT(proxy->port))
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid address \"%V\": %s",
                           value, ngx_egress_addr_strerror(addr->error));
        return NGX_CONF_ERROR;
    }

    name.data = p + ngx_max(value->len, NGX_EGRESS_IP_LEN);
    name.len = ngx_egress_addr_print(name.data, addr) - name.data;

    node = proxy->nodes.elts;

    for (i = 0; i < proxy->nodes.nelts; i++) {
        if (node[i].name.len == name.len
            && ngx_memcmp(node[i].name.data, name.data, name.len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate address \"%V\"", value);
            return NGX_CONF_ERROR;
        }
    }

    node = ngx_array_push(&proxy->nodes);
    if (node == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(node, sizeof(ngx_egress_pick_node_t));

    node->name = name;
    node->weight = 1;

    return NGX_CONF_OK;
}


static char *
ngx_egress_proxy_addr_bind_ip(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t         *value;
    ngx_uint_t         family;
    ngx_addr_t         addr;
    struct sockaddr  **sa;

    sa = (struct sockaddr **) (p + cmd->offset);

    if (*sa) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    family = (cmd->offset == offsetof(ngx_egress_proxy_addr_t, bind4))
             ? AF_INET : AF_INET6;

    if (ngx_parse_addr(cf->pool, &addr, value[1].data, value[1].len) != NGX_OK
        || addr.sockaddr->sa_family != family)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid %s address \"%V\"",
                           (family == AF_INET) ? "IPv4" : "IPv6", &value[1]);
        return NGX_CONF_ERROR;
    }

    *sa = addr.sockaddr;

    return NGX_CONF_OK;
}
