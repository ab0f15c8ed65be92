
/*
 * Copyright (C) ngx_egress authors
 *
 * The directives that all escapers with hops of their own have in common:
 * how names are resolved and how sockets are made and connected.
 */


#include "../ngx_egress.h"

#include <net/if.h>


#define NGX_EGRESS_MAX_RETRY            2
#define NGX_EGRESS_EACH_TIMEOUT         10000
#define NGX_EGRESS_NEGOTIATION_TIMEOUT  10000
#define NGX_EGRESS_RESOLUTION_DELAY     50
#define NGX_EGRESS_SECOND_RESOLUTION    2000
#define NGX_EGRESS_FIRST_COUNT          1
#define NGX_EGRESS_ATTEMPT_DELAY        250
#define NGX_EGRESS_ATTEMPT_DELAY_MIN    100
#define NGX_EGRESS_ATTEMPT_DELAY_MAX    2000
#define NGX_EGRESS_KEEPALIVE_IDLE       60


typedef enum {
    NGX_EGRESS_ARG_NUMBER = 0,         /* ngx_int_t */
    NGX_EGRESS_ARG_MSEC,               /* ngx_msec_t */
    NGX_EGRESS_ARG_SECONDS             /* int */
} ngx_egress_arg_e;


/* A "key=value" argument. */
typedef struct {
    const char         *key;           /* with "=" */
    ngx_egress_arg_e    type;
    size_t              offset;        /* in ngx_egress_connect_conf_t */
    int64_t             min;
    int64_t             max;
} ngx_egress_arg_t;


static char *ngx_egress_connect_resolver(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_connect_strategy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_connect_args(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_connect_keepalive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_connect_misc(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_connect_congestion(ngx_conf_t *cf,
    ngx_egress_connect_conf_t *conf, ngx_str_t *name);
static char *ngx_egress_connect_interface(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_connect_speed(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_connect_timeout(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_connect_arg(ngx_conf_t *cf, ngx_egress_arg_t *args,
    ngx_str_t *arg, ngx_egress_connect_conf_t *conf);
static char *ngx_egress_connect_arg_set(ngx_conf_t *cf, ngx_egress_arg_t *arg,
    ngx_str_t *text, ngx_str_t *value, ngx_egress_connect_conf_t *conf);


#define ngx_egress_arg(key, type, field, min, max)                            \
    { key, type, offsetof(ngx_egress_connect_conf_t, field), min, max }

#define NGX_EGRESS_DAY  86400


static ngx_egress_arg_t  ngx_egress_tcp_connect_args[] = {
    ngx_egress_arg("max_retry=", NGX_EGRESS_ARG_NUMBER, max_retry, 0, 100),
    ngx_egress_arg("each_timeout=", NGX_EGRESS_ARG_MSEC, each_timeout,
                   1, NGX_EGRESS_DAY * 1000),
    { NULL, 0, 0, 0, 0 }
};


static ngx_egress_arg_t  ngx_egress_happy_eyeballs_args[] = {
    ngx_egress_arg("resolution_delay=", NGX_EGRESS_ARG_MSEC,
                   happy.resolution_delay, 0, NGX_EGRESS_DAY * 1000),
    ngx_egress_arg("second_resolution_timeout=", NGX_EGRESS_ARG_MSEC,
                   happy.second_resolution_timeout, 0, NGX_EGRESS_DAY * 1000),
    ngx_egress_arg("first_address_family_count=", NGX_EGRESS_ARG_NUMBER,
                   happy.first_count, 1, 100),
    ngx_egress_arg("connection_attempt_delay=", NGX_EGRESS_ARG_MSEC,
                   happy.attempt_delay, NGX_EGRESS_ATTEMPT_DELAY_MIN,
                   NGX_EGRESS_ATTEMPT_DELAY_MAX),
    { NULL, 0, 0, 0, 0 }
};


/* the limits are those of the kernel */

static ngx_egress_arg_t  ngx_egress_tcp_keepalive_args[] = {
    ngx_egress_arg("idle=", NGX_EGRESS_ARG_SECONDS, keepalive.idle, 1, 32767),
    ngx_egress_arg("interval=", NGX_EGRESS_ARG_SECONDS, keepalive.interval,
                   1, 32767),
    ngx_egress_arg("count=", NGX_EGRESS_ARG_SECONDS, keepalive.count, 1, 127),
    { NULL, 0, 0, 0, 0 }
};


static ngx_egress_arg_t  ngx_egress_tcp_misc_args[] = {
    ngx_egress_arg("mss=", NGX_EGRESS_ARG_NUMBER, misc.mss, 88, 32767),
    ngx_egress_arg("ttl=", NGX_EGRESS_ARG_NUMBER, misc.ttl, 1, 255),
    ngx_egress_arg("tos=", NGX_EGRESS_ARG_NUMBER, misc.tos, 0, 255),
    ngx_egress_arg("mark=", NGX_EGRESS_ARG_NUMBER, misc.mark, 0, 0xffffffffLL),
    { NULL, 0, 0, 0, 0 }
};


ngx_command_t  ngx_egress_connect_commands[] = {

    { ngx_string("resolver"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_connect_resolver,
      0,
      0,
      NULL },

    { ngx_string("resolve_strategy"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE12,
      ngx_egress_connect_strategy,
      0,
      0,
      NULL },

    { ngx_string("no_ipv4"),
      NGX_EGRESS_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_egress_connect_conf_t, no_ipv4),
      NULL },

    { ngx_string("no_ipv6"),
      NGX_EGRESS_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_egress_connect_conf_t, no_ipv6),
      NULL },

    { ngx_string("tcp_connect"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE12,
      ngx_egress_connect_args,
      0,
      0,
      &ngx_egress_tcp_connect_args },

    { ngx_string("peer_negotiation_timeout"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_connect_timeout,
      0,
      offsetof(ngx_egress_connect_conf_t, negotiation_timeout),
      NULL },

    { ngx_string("happy_eyeballs"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1234,
      ngx_egress_connect_args,
      0,
      0,
      &ngx_egress_happy_eyeballs_args },

    { ngx_string("tcp_keepalive"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1234,
      ngx_egress_connect_keepalive,
      0,
      0,
      &ngx_egress_tcp_keepalive_args },

    { ngx_string("tcp_misc_opts"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_egress_connect_misc,
      0,
      0,
      &ngx_egress_tcp_misc_args },

    { ngx_string("bind_interface"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_connect_interface,
      0,
      0,
      NULL },

    { ngx_string("tcp_sock_speed_limit"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE12,
      ngx_egress_connect_speed,
      0,
      0,
      NULL },

      ngx_null_command
};


void
ngx_egress_connect_conf_init(ngx_egress_connect_conf_t *conf)
{
    ngx_memzero(conf, sizeof(ngx_egress_connect_conf_t));

    conf->family = NGX_CONF_UNSET;
    conf->pick_random = NGX_CONF_UNSET;
    conf->no_ipv4 = NGX_CONF_UNSET;
    conf->no_ipv6 = NGX_CONF_UNSET;

    conf->max_retry = NGX_CONF_UNSET_UINT;
    conf->each_timeout = NGX_CONF_UNSET_MSEC;
    conf->negotiation_timeout = NGX_CONF_UNSET_MSEC;

    conf->happy.resolution_delay = NGX_CONF_UNSET_MSEC;
    conf->happy.second_resolution_timeout = NGX_CONF_UNSET_MSEC;
    conf->happy.first_count = NGX_CONF_UNSET_UINT;
    conf->happy.attempt_delay = NGX_CONF_UNSET_MSEC;

    conf->keepalive.keepalive = NGX_CONF_UNSET;
    conf->keepalive.idle = NGX_CONF_UNSET;
    conf->keepalive.interval = NGX_CONF_UNSET;
    conf->keepalive.count = NGX_CONF_UNSET;

    conf->misc.nodelay = NGX_CONF_UNSET;
    conf->misc.mss = NGX_CONF_UNSET;
    conf->misc.ttl = NGX_CONF_UNSET;
    conf->misc.tos = NGX_CONF_UNSET;
    conf->misc.mark = NGX_CONF_UNSET;

    conf->upload_rate = NGX_CONF_UNSET_SIZE;
    conf->download_rate = NGX_CONF_UNSET_SIZE;
}


char *
ngx_egress_connect_conf_merge(ngx_conf_t *cf, ngx_egress_connect_conf_t *conf,
    ngx_egress_object_t *object)
{
    if ((int) conf->family == NGX_CONF_UNSET) {
        conf->family = NGX_EGRESS_IPV4_FIRST;
    }

    ngx_conf_init_value(conf->pick_random, 1);
    ngx_conf_init_value(conf->no_ipv4, 0);
    ngx_conf_init_value(conf->no_ipv6, 0);

    ngx_conf_init_uint_value(conf->max_retry, NGX_EGRESS_MAX_RETRY);
    ngx_conf_init_msec_value(conf->each_timeout, NGX_EGRESS_EACH_TIMEOUT);
    ngx_conf_init_msec_value(conf->negotiation_timeout,
                             NGX_EGRESS_NEGOTIATION_TIMEOUT);

    ngx_conf_init_msec_value(conf->happy.resolution_delay,
                             NGX_EGRESS_RESOLUTION_DELAY);
    ngx_conf_init_msec_value(conf->happy.second_resolution_timeout,
                             NGX_EGRESS_SECOND_RESOLUTION);
    ngx_conf_init_uint_value(conf->happy.first_count, NGX_EGRESS_FIRST_COUNT);
    ngx_conf_init_msec_value(conf->happy.attempt_delay,
                             NGX_EGRESS_ATTEMPT_DELAY);

    ngx_conf_init_value(conf->keepalive.idle, NGX_EGRESS_KEEPALIVE_IDLE);
    ngx_conf_init_value(conf->keepalive.interval, 0);
    ngx_conf_init_value(conf->keepalive.count, 0);

    ngx_conf_init_value(conf->misc.nodelay, 1);

    ngx_conf_init_size_value(conf->upload_rate, 0);
    ngx_conf_init_size_value(conf->download_rate, 0);

    if (conf->no_ipv4 && conf->no_ipv6) {
        return ngx_egress_conf_error(cf, object,
                                     "escaper \"%V\" has both \"no_ipv4\" and "
                                     "\"no_ipv6\", so no address is left",
                                     &object->name);
    }

    if (conf->no_ipv4 && conf->family == NGX_EGRESS_IPV4_ONLY) {
        return ngx_egress_conf_error(cf, object,
                                     "escaper \"%V\" has \"no_ipv4\", which "
                                     "conflicts with \"resolve_strategy "
                                     "ipv4_only\"", &object->name);
    }

    if (conf->no_ipv6 && conf->family == NGX_EGRESS_IPV6_ONLY) {
        return ngx_egress_conf_error(cf, object,
                                     "escaper \"%V\" has \"no_ipv6\", which "
                                     "conflicts with \"resolve_strategy "
                                     "ipv6_only\"", &object->name);
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_connect_resolver(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_connect_conf_t *ccf = conf;

    ngx_str_t  *value;

    if (ccf->resolver) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    ccf->resolver = ngx_egress_resolver_ref(cf, &value[1]);

    return ccf->resolver ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_egress_connect_strategy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_connect_conf_t *ccf = conf;

    ngx_str_t        *value;
    ngx_uint_t        i;
    static ngx_str_t  families[] = {       /* as in ngx_egress_family_e */
        ngx_string("ipv4_first"),
        ngx_string("ipv6_first"),
        ngx_string("ipv4_only"),
        ngx_string("ipv6_only")
    };

    if ((int) ccf->family != NGX_CONF_UNSET) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    for (i = 0; i < 4; i++) {
        if (ngx_strcmp(value[1].data, families[i].data) == 0) {
            ccf->family = i;
            break;
        }
    }

    if (i == 4) {
        return "has an invalid strategy, use \"ipv4_only\", \"ipv6_only\", "
               "\"ipv4_first\" or \"ipv6_first\"";
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    ccf->pick_random = (ngx_strcmp(value[2].data, "random") == 0);

    if (!ccf->pick_random && ngx_strcmp(value[2].data, "first") != 0) {
        return "has an invalid choice, use \"random\" or \"first\"";
    }

    return NGX_CONF_OK;
}


/* All arguments are of the table cmd->post. */

static char *
ngx_egress_connect_args(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_egress_connect_arg(cf, cmd->post, &value[i], conf);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_connect_keepalive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_connect_conf_t *ccf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (ccf->keepalive.keepalive != NGX_CONF_UNSET) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    ccf->keepalive.keepalive = (ngx_strcmp(value[1].data, "on") == 0);

    if (!ccf->keepalive.keepalive && ngx_strcmp(value[1].data, "off") != 0) {
        return "has an invalid first argument, use \"on\" or \"off\"";
    }

    if (!ccf->keepalive.keepalive && cf->args->nelts > 2) {
        return "has arguments after \"off\"";
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_egress_connect_arg(cf, cmd->post, &value[i], conf);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_connect_misc(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_connect_conf_t *ccf = conf;

    char        *rv;
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_egress_conf_param(&value[i], "congestion_control=", &s)) {
            rv = ngx_egress_connect_congestion(cf, ccf, &s);

        } else if (ngx_egress_conf_param(&value[i], "no_delay=", &s)) {

            if (ccf->misc.nodelay != NGX_CONF_UNSET) {
                return "has a duplicate \"no_delay\"";
            }

            ccf->misc.nodelay = (ngx_strcmp(s.data, "on") == 0);

            rv = (ccf->misc.nodelay || ngx_strcmp(s.data, "off") == 0)
                 ? NGX_CONF_OK
                 : "has an invalid \"no_delay\", use \"on\" or \"off\"";

        } else {
            rv = ngx_egress_connect_arg(cf, cmd->post, &value[i], conf);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/* The kernel is asked now: an unknown name would be ignored for ever. */

static char *
ngx_egress_connect_congestion(ngx_conf_t *cf, ngx_egress_connect_conf_t *conf,
    ngx_str_t *name)
{
    int           rc;
    ngx_err_t     err;
    ngx_socket_t  s;

    if (conf->misc.congestion.len) {
        return "has a duplicate \"congestion_control\"";
    }

    conf->misc.congestion = *name;

    s = ngx_socket(AF_INET, SOCK_STREAM, 0);
    if (s == (ngx_socket_t) -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_socket_errno,
                           ngx_socket_n " failed");
        return NGX_CONF_ERROR;
    }

    rc = setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name->data, name->len);
    err = (rc == -1) ? ngx_socket_errno : 0;

    (void) ngx_close_socket(s);

    if (err == NGX_ENOENT || name->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the kernel knows no congestion control \"%V\", "
                           "load its module or use another one", name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_connect_interface(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_connect_conf_t *ccf = conf;

    ngx_str_t  *value;

    if (ccf->interface.len) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len >= IFNAMSIZ
        || ngx_strlchr(value[1].data, value[1].data + value[1].len, '/'))
    {
        return "has an invalid interface name";
    }

    /* it need not exist yet */

    ccf->interface = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_egress_connect_speed(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_connect_conf_t *ccf = conf;

    ssize_t      rate;
    ngx_str_t   *value, s;
    ngx_uint_t   i, up, down;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        s = value[i];

        up = ngx_egress_conf_param(&value[i], "upload=", &s);
        down = ngx_egress_conf_param(&value[i], "download=", &s);

        if (!up && !down) {

            if (cf->args->nelts != 2) {
                return "takes one rate, or \"upload=\" and \"download=\"";
            }

            up = down = 1;
        }

        rate = ngx_egress_parse_rate(&s);

        if (rate == NGX_ERROR) {
            return "has an invalid rate, use bytes a second as in \"512k\"";
        }

        if ((up && ccf->upload_rate != NGX_CONF_UNSET_SIZE)
            || (down && ccf->download_rate != NGX_CONF_UNSET_SIZE))
        {
            return ngx_egress_is_duplicate;
        }

        if (up) {
            ccf->upload_rate = rate;
        }

        if (down) {
            ccf->download_rate = rate;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_connect_timeout(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char        *rv;
    ngx_msec_t  *timeout;

    rv = ngx_conf_set_msec_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    timeout = (ngx_msec_t *) ((char *) conf + cmd->offset);

    return *timeout ? NGX_CONF_OK : "must be more than zero";
}


static char *
ngx_egress_connect_arg(ngx_conf_t *cf, ngx_egress_arg_t *args, ngx_str_t *arg,
    ngx_egress_connect_conf_t *conf)
{
    ngx_str_t  value;

    for ( /* void */ ; args->key; args++) {
        if (ngx_egress_conf_param(arg, args->key, &value)) {
            return ngx_egress_connect_arg_set(cf, args, arg, &value, conf);
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown parameter \"%V\"", arg);

    return NGX_CONF_ERROR;
}


static char *
ngx_egress_connect_arg_set(ngx_conf_t *cf, ngx_egress_arg_t *arg,
    ngx_str_t *text, ngx_str_t *value, ngx_egress_connect_conf_t *conf)
{
    void       *p;
    int64_t     n;
    ngx_int_t   set;

    p = (char *) conf + arg->offset;

    switch (arg->type) {

    case NGX_EGRESS_ARG_MSEC:
        set = (*(ngx_msec_t *) p != NGX_CONF_UNSET_MSEC);
        n = ngx_parse_time(value, 0);
        break;

    case NGX_EGRESS_ARG_SECONDS:
        set = (*(int *) p != NGX_CONF_UNSET);
        n = ngx_parse_time(value, 1);
        break;

    default: /* NGX_EGRESS_ARG_NUMBER */
        set = (*(ngx_int_t *) p != NGX_CONF_UNSET);
        n = ngx_atoi(value->data, value->len);
    }

    if (set) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate parameter \"%V\"",
                           text);
        return NGX_CONF_ERROR;
    }

    if (n == NGX_ERROR || n < arg->min || n > arg->max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value in \"%V\", use %L to %L%s",
                           text, arg->min, arg->max,
                           (arg->type == NGX_EGRESS_ARG_MSEC) ? " ms" : "");
        return NGX_CONF_ERROR;
    }

    switch (arg->type) {

    case NGX_EGRESS_ARG_MSEC:
        *(ngx_msec_t *) p = (ngx_msec_t) n;
        break;

    case NGX_EGRESS_ARG_SECONDS:
        *(int *) p = (int) n;
        break;

    default: /* NGX_EGRESS_ARG_NUMBER */
        *(ngx_int_t *) p = (ngx_int_t) n;
    }

    return NGX_CONF_OK;
}
