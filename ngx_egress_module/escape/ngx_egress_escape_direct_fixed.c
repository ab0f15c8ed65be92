
/*
 * Copyright (C) ngx_egress authors
 *
 * direct_fixed: connects to the target itself, from one of the configured
 * local addresses, picked at random or by the egress path selection.
 */


#include "../ngx_egress.h"
#include "../relay/ngx_egress_udp.h"
#include "../task/ngx_egress_filter.h"


typedef struct {
    ngx_array_t              bind;            /* of ngx_addr_t; port 0 */
    ngx_uint_t               proxy_protocol;  /* version */
    ngx_egress_udp_limit_t   udp_limit;
} ngx_egress_direct_fixed_t;


static ngx_int_t ngx_egress_direct_fixed_select(ngx_egress_task_t *task);
static void ngx_egress_direct_fixed_bind(ngx_egress_task_t *task,
    ngx_egress_direct_fixed_t *df);
static void ngx_egress_direct_fixed_use(ngx_egress_hop_t *hop,
    ngx_addr_t *addr);

static char *ngx_egress_direct_fixed_create(ngx_conf_t *cf,
    ngx_egress_escaper_t *e);
static char *ngx_egress_direct_fixed_init(ngx_conf_t *cf,
    ngx_egress_escaper_t *e);
static char *ngx_egress_direct_fixed_bind_ip(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_egress_direct_fixed_udp_limit(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


static ngx_conf_num_bounds_t  ngx_egress_direct_fixed_versions = {
    ngx_conf_check_num_bounds, 1, 2
};


static ngx_command_t  ngx_egress_direct_fixed_commands[] = {

    { ngx_string("bind_ip"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_egress_direct_fixed_bind_ip,
      0,
      0,
      NULL },

    { ngx_string("use_proxy_protocol"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_egress_direct_fixed_t, proxy_protocol),
      &ngx_egress_direct_fixed_versions },

    { ngx_string("udp_sock_speed_limit"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_egress_direct_fixed_udp_limit,
      0,
      0,
      NULL },

      ngx_null_command
};


ngx_egress_escaper_type_t  ngx_egress_direct_fixed = {
    ngx_string("direct_fixed"),
    NGX_EGRESS_TAKES_CONNECT
    |NGX_EGRESS_TAKES_TARGET
    |NGX_EGRESS_TAKES_PATH
    |NGX_EGRESS_OFFERS_UDP,                /* flags */
    sizeof(ngx_egress_direct_fixed_t),     /* size of configuration */
    ngx_egress_direct_fixed_commands,      /* directives */
    ngx_egress_direct_fixed_create,        /* create */
    ngx_egress_direct_fixed_init,          /* init */
    ngx_egress_direct_fixed_select,        /* select */
    NULL,                                  /* negotiate */
    NULL                                   /* failed */
};


static ngx_int_t
ngx_egress_direct_fixed_select(ngx_egress_task_t *task)
{
    ngx_egress_direct_fixed_t  *df;

    df = task->escaper->conf;

    task->hop = ngx_egress_hop_create(task);
    if (task->hop == NULL) {
        return NGX_ERROR;
    }

    task->hop->proxy_protocol = df->proxy_protocol;
    task->hop->udp_limit = &df->udp_limit;

    /* the header is the first client's: nobody else may ride behind it */

    task->hop->no_reuse = (df->proxy_protocol != 0);

    if (df->bind.nelts) {
        ngx_egress_direct_fixed_bind(task, df);
    }

    return NGX_OK;
}


/*
 * By index exactly that address is used, and its family with it.  At random,
 * one of each family is taken, so that happy eyeballs has its choice.
 */

static void
ngx_egress_direct_fixed_bind(ngx_egress_task_t *task,
    ngx_egress_direct_fixed_t *df)
{
    ngx_addr_t         *addr;
    ngx_uint_t          i, k, n;
    ngx_egress_hop_t   *hop;
    ngx_egress_path_t  *path;

    hop = task->hop;
    addr = df->bind.elts;
    n = df->bind.nelts;

    path = ngx_egress_task_path(task, task->escaper, NGX_EGRESS_PATH_NUMBER);

    if (path) {
        k = ngx_egress_path_index(path->number, n);
        ngx_egress_direct_fixed_use(hop, &addr[k]);
        return;
    }

    k = ngx_random() % n;

    for (i = 0; i < n; i++) {
        ngx_egress_direct_fixed_use(hop, &addr[(k + i) % n]);
    }
}


/* takes the first address that is seen of each family */

static void
ngx_egress_direct_fixed_use(ngx_egress_hop_t *hop, ngx_addr_t *addr)
{
    struct sockaddr  **bind;

    bind = (addr->sockaddr->sa_family == AF_INET) ? &hop->bind4 : &hop->bind6;

    if (*bind == NULL) {
        *bind = addr->sockaddr;
    }
}


static char *
ngx_egress_direct_fixed_create(ngx_conf_t *cf, ngx_egress_escaper_t *e)
{
    ngx_egress_direct_fixed_t *df = e->conf;

    df->proxy_protocol = NGX_CONF_UNSET_UINT;

    ngx_egress_udp_limit_conf_init(&df->udp_limit);

    if (ngx_array_init(&df->bind, cf->pool, 2, sizeof(ngx_addr_t)) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_direct_fixed_init(ngx_conf_t *cf, ngx_egress_escaper_t *e)
{
    ngx_egress_direct_fixed_t *df = e->conf;

    ngx_uint_t   i;
    ngx_addr_t  *addr;

    ngx_conf_init_uint_value(df->proxy_protocol, 0);
    ngx_egress_udp_limit_conf_merge(&df->udp_limit, &df->udp_limit);

    addr = df->bind.elts;

    for (i = 0; i < df->bind.nelts; i++) {

        if ((addr[i].sockaddr->sa_family == AF_INET && e->connect.no_ipv4)
            || (addr[i].sockaddr->sa_family == AF_INET6 && e->connect.no_ipv6))
        {
            return ngx_egress_conf_error(cf, &e->object,
                                         "bind_ip \"%V\" is of a family that "
                                         "escaper \"%V\" does not use",
                                         &addr[i].name, &e->object.name);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_direct_fixed_bind_ip(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_egress_direct_fixed_t *df = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;
    ngx_addr_t  *addr;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        addr = ngx_array_push(&df->bind);
        if (addr == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_parse_addr(cf->pool, addr, value[i].data, value[i].len)
            != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        addr->name = value[i];
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_direct_fixed_udp_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_egress_direct_fixed_t *df = conf;

    return ngx_egress_udp_limit_conf(cf, &df->udp_limit);
}
