
/*
 * Copyright (C) ngx_egress authors
 *
 * Makes the PROXY header of a diverted connection.  The bytes are written by
 * the codec, here is decided which TLVs there are.
 */


#include "ngx_egress_divert.h"
#include "../ngx_egress_module/connect/ngx_egress_header.h"


typedef struct {
    ngx_str_t    name;
    ngx_uint_t   type;
} ngx_egress_divert_name_t;


static size_t ngx_egress_divert_size(ngx_egress_divert_t *dv);
static ngx_int_t ngx_egress_divert_write(ngx_egress_pp2_writer_t *w,
    ngx_egress_divert_t *dv);
static ngx_int_t ngx_egress_divert_append(ngx_egress_pp2_writer_t *w,
    ngx_uint_t type, ngx_str_t *value);


/* a name is a row */

static ngx_egress_divert_name_t  ngx_egress_divert_names[] = {
    { ngx_string("alpn"), NGX_EGRESS_PP2_ALPN },
    { ngx_string("authority"), NGX_EGRESS_PP2_AUTHORITY },
    { ngx_string("crc32c"), NGX_EGRESS_PP2_CRC32C },
    { ngx_string("unique_id"), NGX_EGRESS_PP2_UNIQUE_ID },
    { ngx_string("ssl"), NGX_EGRESS_PP2_SSL },
    { ngx_string("netns"), NGX_EGRESS_PP2_NETNS },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_egress_divert_header(ngx_pool_t *pool, ngx_log_t *log,
    ngx_connection_t *client, ngx_egress_divert_t *dv, ngx_str_t *header)
{
    u_char                   *p;
    size_t                    size;
    ngx_egress_pp2_t          pp;
    ngx_egress_pp2_writer_t   w;

    ngx_memzero(&pp, sizeof(ngx_egress_pp2_t));

    ngx_egress_header_addresses(client, &pp);

    size = ngx_egress_divert_size(dv);

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ngx_egress_pp2_begin(&w, p, size, &pp) != NGX_OK
        || ngx_egress_divert_write(&w, dv) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "PROXY header of about %uz bytes is too long", size);
        return NGX_DECLINED;
    }

    header->data = p;
    header->len = ngx_egress_pp2_end(&w) - p;

    return NGX_OK;
}


static size_t
ngx_egress_divert_size(ngx_egress_divert_t *dv)
{
    size_t      size;
    ngx_uint_t  i;

    size = NGX_EGRESS_PP2_HEAD_LEN + NGX_EGRESS_PP2_ADDR_LEN
           + NGX_EGRESS_PP2_TLV_LEN + NGX_EGRESS_ADDR_LEN
           + NGX_EGRESS_PP2_TLV_LEN + dv->tls_name.len
           + NGX_EGRESS_PP2_TLV_LEN + dv->user.len
           + NGX_EGRESS_PP2_TLV_LEN + NGX_EGRESS_TASK_ID_LEN
           + NGX_EGRESS_PP2_TLV_LEN + NGX_EGRESS_PP2_CRC_LEN;

    for (i = 0; i < dv->ntlvs; i++) {
        size += NGX_EGRESS_PP2_TLV_LEN + dv->tlvs[i].value.len;
    }

    return size;
}


static ngx_int_t
ngx_egress_divert_write(ngx_egress_pp2_writer_t *w, ngx_egress_divert_t *dv)
{
    u_char      text[NGX_EGRESS_ADDR_LEN];
    ngx_str_t   id, target;
    ngx_uint_t  i;

    target.data = text;
    target.len = ngx_egress_addr_print(text, dv->target) - text;

    id.data = dv->id;
    id.len = NGX_EGRESS_TASK_ID_LEN;

    if (ngx_egress_divert_append(w, NGX_EGRESS_PP2_TARGET, &target) != NGX_OK
        || ngx_egress_divert_append(w, NGX_EGRESS_PP2_TLS_NAME, &dv->tls_name)
           != NGX_OK
        || ngx_egress_divert_append(w, NGX_EGRESS_PP2_USERNAME, &dv->user)
           != NGX_OK
        || ngx_egress_divert_append(w, NGX_EGRESS_PP2_TASK_ID, &id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < dv->ntlvs; i++) {
        if (ngx_egress_divert_append(w, dv->tlvs[i].type, &dv->tlvs[i].value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return dv->crc ? ngx_egress_pp2_append_crc(w) : NGX_OK;
}


/* what has no value is not said */

static ngx_int_t
ngx_egress_divert_append(ngx_egress_pp2_writer_t *w, ngx_uint_t type,
    ngx_str_t *value)
{
    return value->len
           ? ngx_egress_pp2_append(w, type, value->data, value->len) : NGX_OK;
}


ngx_int_t
ngx_egress_divert_tlv_type(ngx_str_t *name)
{
    ngx_egress_divert_name_t  *row;

    for (row = ngx_egress_divert_names; row->name.len; row++) {
        if (row->name.len == name->len
            && ngx_strncasecmp(row->name.data, name->data, name->len) == 0)
        {
            return row->type;
        }
    }

    if (name->len != 4 || name->data[0] != '0'
        || (name->data[1] | 0x20) != 'x')
    {
        return NGX_ERROR;
    }

    return ngx_hextoi(name->data + 2, 2);
}
