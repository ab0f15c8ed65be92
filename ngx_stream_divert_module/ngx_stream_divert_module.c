
/*
 * Copyright (C) ngx_egress authors
 *
 * The directives of divert_pass: reads and checks them, does nothing else.
 */


#include "ngx_stream_divert.h"


static void *ngx_stream_divert_pass_create_conf(ngx_conf_t *cf);
static char *ngx_stream_divert_pass_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_stream_divert_pass_check(ngx_conf_t *cf,
    ngx_stream_divert_pass_conf_t *conf);
static char *ngx_stream_divert_pass(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_divert_pass_one(ngx_conf_t *cf,
    ngx_stream_divert_pass_conf_t *conf, ngx_str_t *value);
static char *ngx_stream_divert_pass_list(ngx_conf_t *cf,
    ngx_stream_divert_pass_conf_t *conf);
static char *ngx_stream_divert_pass_server(ngx_conf_t *cf, ngx_array_t *servers,
    ngx_str_t *value);
static char *ngx_stream_divert_target(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_divert_tlv(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_divert_tlv_check(ngx_conf_t *cf,
    ngx_stream_divert_pass_conf_t *conf, ngx_str_t *name, ngx_int_t type);


static ngx_command_t  ngx_stream_divert_pass_commands[] = {

    { ngx_string("divert_pass"),
      NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_stream_divert_pass,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("divert_target"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_divert_target,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_pass_conf_t, target),
      NULL },

    { ngx_string("divert_tls_name"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_set_complex_value_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_pass_conf_t, tls_name),
      NULL },

    { ngx_string("divert_username"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_set_complex_value_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_pass_conf_t, username),
      NULL },

    { ngx_string("divert_tlv"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE2,
      ngx_stream_divert_tlv,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("divert_ssl"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_pass_conf_t, ssl),
      NULL },

    { ngx_string("divert_tls_client"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_egress_tls_client_block,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_pass_conf_t, tls),
      NULL },

    { ngx_string("divert_ssl_name"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_set_complex_value_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_pass_conf_t, ssl_name),
      NULL },

    { ngx_string("divert_connect_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_pass_conf_t, connect_timeout),
      NULL },

    { ngx_string("divert_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_pass_conf_t, timeout),
      NULL },

    { ngx_string("divert_next_upstream"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_pass_conf_t, next_upstream),
      NULL },

    { ngx_string("divert_next_upstream_tries"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_pass_conf_t, next_upstream_tries),
      NULL },

    { ngx_string("divert_next_upstream_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_pass_conf_t, next_upstream_timeout),
      NULL },

    { ngx_string("divert_socket_keepalive"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_pass_conf_t, socket_keepalive),
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_divert_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_stream_divert_pass_create_conf,    /* create server configuration */
    ngx_stream_divert_pass_merge_conf      /* merge server configuration */
};


ngx_module_t  ngx_stream_divert_module = {
    NGX_MODULE_V1,
    &ngx_stream_divert_module_ctx,    /* module context */
    ngx_stream_divert_pass_commands,       /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_stream_divert_pass_create_conf(ngx_conf_t *cf)
{
    ngx_stream_divert_pass_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_divert_pass_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->upstream = NULL;
     *     conf->upstream_value = NULL;
     *     conf->target = NULL;
     *     conf->tls_name = NULL;
     *     conf->username = NULL;
     *     conf->tlvs = NULL;
     *     conf->crc = 0;
     *     conf->tls = NULL;
     *     conf->ssl_name = NULL;
     *     conf->connect = { 0 };
     */

    conf->ssl = NGX_CONF_UNSET;
    conf->connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->next_upstream = NGX_CONF_UNSET;
    conf->next_upstream_tries = NGX_CONF_UNSET_UINT;
    conf->next_upstream_timeout = NGX_CONF_UNSET_MSEC;
    conf->socket_keepalive = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_stream_divert_pass_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_divert_pass_conf_t *prev = parent;
    ngx_stream_divert_pass_conf_t *conf = child;

    if (conf->target == NULL) {
        conf->target = prev->target;
    }

    if (conf->tls_name == NULL) {
        conf->tls_name = prev->tls_name;
    }

    if (conf->username == NULL) {
        conf->username = prev->username;
    }

    if (conf->tlvs == NULL && !conf->crc) {
        conf->tlvs = prev->tlvs;
        conf->crc = prev->crc;
    }

    if (conf->tls == NULL) {
        conf->tls = prev->tls;
    }

    if (conf->ssl_name == NULL) {
        conf->ssl_name = prev->ssl_name;
    }

    ngx_conf_merge_value(conf->ssl, prev->ssl, 0);
    ngx_conf_merge_msec_value(conf->connect_timeout, prev->connect_timeout,
                              60000);
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 10 * 60000);
    ngx_conf_merge_value(conf->next_upstream, prev->next_upstream, 1);
    ngx_conf_merge_uint_value(conf->next_upstream_tries,
                              prev->next_upstream_tries, 0);
    ngx_conf_merge_msec_value(conf->next_upstream_timeout,
                              prev->next_upstream_timeout, 0);
    ngx_conf_merge_value(conf->socket_keepalive, prev->socket_keepalive, 0);

    if (conf->upstream == NULL && conf->upstream_value == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_stream_divert_pass_check(cf, conf);
}


static char *
ngx_stream_divert_pass_check(ngx_conf_t *cf,
    ngx_stream_divert_pass_conf_t *conf)
{
    ngx_stream_egress_srv_conf_t  *escf;

    escf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_egress_module);

    if (conf->target == NULL) {
        return ngx_egress_conf_error(cf, &escf->where,
                                     "\"divert_pass\" needs a "
                                     "\"divert_target\"");
    }

    /* who may say where to go is to be asked who it is */

    escf->mapped = (conf->target->lengths == NULL);

    if (!conf->ssl) {
        conf->tls = NULL;
        return NGX_CONF_OK;
    }

    if (conf->tls == NULL) {
        conf->tls = ngx_egress_tls_default(cf);
    }

    return conf->tls ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_stream_divert_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_divert_pass_conf_t *dpcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_stream_egress_set_handler(cf, ngx_stream_divert_pass_handler, 1);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2) {
        return ngx_stream_divert_pass_one(cf, dpcf, &value[1]);
    }

    return ngx_stream_divert_pass_list(cf, dpcf);
}


static char *
ngx_stream_divert_pass_one(ngx_conf_t *cf,
    ngx_stream_divert_pass_conf_t *conf, ngx_str_t *value)
{
    ngx_url_t                            u;
    ngx_stream_complex_value_t           cv;
    ngx_stream_compile_complex_value_t   ccv;

    ngx_memzero(&ccv, sizeof(ngx_stream_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = &cv;

    if (ngx_stream_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cv.lengths) {
        conf->upstream_value = ngx_palloc(cf->pool,
                                          sizeof(ngx_stream_complex_value_t));
        if (conf->upstream_value == NULL) {
            return NGX_CONF_ERROR;
        }

        *conf->upstream_value = cv;

        return NGX_CONF_OK;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *value;
    u.no_resolve = 1;

    conf->upstream = ngx_stream_upstream_add(cf, &u, 0);

    return conf->upstream ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* Several addresses: what an upstream { } of these servers would be. */

static char *
ngx_stream_divert_pass_list(ngx_conf_t *cf,
    ngx_stream_divert_pass_conf_t *conf)
{
    char                              *rv;
    ngx_str_t                         *value;
    ngx_uint_t                         i;
    ngx_stream_upstream_srv_conf_t    *uscf, **uscfp;
    ngx_stream_upstream_main_conf_t   *umcf;

    value = cf->args->elts;

    uscf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_upstream_srv_conf_t));
    if (uscf == NULL) {
        return NGX_CONF_ERROR;
    }

    uscf->host = value[0];
    uscf->file_name = cf->conf_file->file.name.data;
    uscf->line = cf->conf_file->line;

    uscf->servers = ngx_array_create(cf->pool, cf->args->nelts,
                                     sizeof(ngx_stream_upstream_server_t));
    if (uscf->servers == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_stream_divert_pass_server(cf, uscf->servers, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    umcf = ngx_stream_conf_get_module_main_conf(cf,
                                                ngx_stream_upstream_module);

    uscfp = ngx_array_push(&umcf->upstreams);
    if (uscfp == NULL) {
        return NGX_CONF_ERROR;
    }

    *uscfp = uscf;
    conf->upstream = uscf;

    return NGX_CONF_OK;
}


static char *
ngx_stream_divert_pass_server(ngx_conf_t *cf, ngx_array_t *servers,
    ngx_str_t *value)
{
    ngx_url_t                      u;
    ngx_stream_upstream_server_t  *server;

    if (ngx_stream_script_variables_count(value)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has variables, which is possible only "
                           "for a single address", value);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *value;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK
        || (u.no_port && u.family != AF_UNIX))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"%V\"",
                           u.err ? u.err : "no port", value);
        return NGX_CONF_ERROR;
    }

    server = ngx_array_push(servers);
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_stream_upstream_server_t));

    server->name = u.url;
    server->addrs = u.addrs;
    server->naddrs = u.naddrs;

    /* as "server" says without parameters */

    server->weight = 1;
    server->max_fails = 1;
    server->fail_timeout = 10;

    return NGX_CONF_OK;
}


static char *
ngx_stream_divert_target(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *p, *rv;
    u_char                      *buf;
    ngx_str_t                   *value;
    ngx_egress_addr_t            addr;
    ngx_stream_complex_value_t  *cv;

    rv = ngx_stream_set_complex_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    p = conf;
    cv = *(ngx_stream_complex_value_t **) (p + cmd->offset);

    if (cv->lengths) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    buf = ngx_pnalloc(cf->pool, ngx_max(value[1].len, NGX_EGRESS_IP_LEN));
    if (buf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_egress_addr_parse(&addr, buf, value[1].data, value[1].len,
                              NGX_EGRESS_PORT_REQUIRED)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid target \"%V\": %s",
                           &value[1], ngx_egress_addr_strerror(addr.error));
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_stream_divert_tlv(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_divert_pass_conf_t *dpcf = conf;

    char                                *rv;
    ngx_int_t                            type;
    ngx_str_t                           *value;
    ngx_stream_divert_tlv_t             *tlv;
    ngx_stream_compile_complex_value_t   ccv;

    value = cf->args->elts;

    type = ngx_egress_divert_tlv_type(&value[1]);

    rv = ngx_stream_divert_tlv_check(cf, dpcf, &value[1], type);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (type == NGX_EGRESS_PP2_CRC32C) {

        if (ngx_strcmp(value[2].data, "on") != 0) {
            return "must have the value \"on\" for a checksum, it is computed";
        }

        dpcf->crc = 1;

        return NGX_CONF_OK;
    }

    if (dpcf->tlvs == NULL) {
        dpcf->tlvs = ngx_array_create(cf->pool, 4,
                                      sizeof(ngx_stream_divert_tlv_t));
        if (dpcf->tlvs == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    tlv = ngx_array_push(dpcf->tlvs);
    if (tlv == NULL) {
        return NGX_CONF_ERROR;
    }

    tlv->type = type;

    ngx_memzero(&ccv, sizeof(ngx_stream_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[2];
    ccv.complex_value = &tlv->value;

    return ngx_stream_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


static char *
ngx_stream_divert_tlv_check(ngx_conf_t *cf,
    ngx_stream_divert_pass_conf_t *conf, ngx_str_t *name, ngx_int_t type)
{
    ngx_uint_t                i;
    ngx_stream_divert_tlv_t  *tlv;

    switch (type) {

    case NGX_EGRESS_PP2_TARGET:
    case NGX_EGRESS_PP2_TLS_NAME:
    case NGX_EGRESS_PP2_USERNAME:
    case NGX_EGRESS_PP2_TASK_ID:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "TLV \"%V\" is set by \"divert_target\", "
                           "\"divert_tls_name\", \"divert_username\" or the "
                           "task id", name);
        return NGX_CONF_ERROR;

    case NGX_EGRESS_PP2_ALPN:
    case NGX_EGRESS_PP2_AUTHORITY:
    case NGX_EGRESS_PP2_CRC32C:
    case NGX_EGRESS_PP2_UNIQUE_ID:
    case NGX_EGRESS_PP2_NETNS:
        break;

    default:
        if (type < NGX_EGRESS_DIVERT_TLV_FIRST
            || type > NGX_EGRESS_DIVERT_TLV_LAST)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid TLV \"%V\", use 0xE4 to 0xEF, alpn, "
                               "authority, crc32c, unique_id or netns", name);
            return NGX_CONF_ERROR;
        }
    }

    if (type == NGX_EGRESS_PP2_CRC32C && conf->crc) {
        return ngx_egress_is_duplicate;
    }

    if (conf->tlvs == NULL) {
        return NGX_CONF_OK;
    }

    tlv = conf->tlvs->elts;

    for (i = 0; i < conf->tlvs->nelts; i++) {
        if (tlv[i].type == (ngx_uint_t) type) {
            return ngx_egress_is_duplicate;
        }
    }

    return NGX_CONF_OK;
}
