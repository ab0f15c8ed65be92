
/*
 * Copyright (C) ngx_egress authors
 *
 * TLVs of the PROXY protocol: binary values of a 16-bit length, nothing in
 * them is a string.  And the checksum that one of them carries.
 */


#include "ngx_egress_pp2.h"


ngx_int_t
ngx_egress_pp2_next(ngx_str_t *rest, ngx_egress_pp2_tlv_t *tlv)
{
    if (rest->len == 0) {
        return NGX_DONE;
    }

    if (rest->len < NGX_EGRESS_PP2_TLV_LEN) {
        return NGX_ERROR;
    }

    tlv->type = rest->data[0];
    tlv->value.len = ngx_egress_get16(&rest->data[1]);
    tlv->value.data = rest->data + NGX_EGRESS_PP2_TLV_LEN;

    if (tlv->value.len > rest->len - NGX_EGRESS_PP2_TLV_LEN) {
        return NGX_ERROR;
    }

    rest->data = tlv->value.data + tlv->value.len;
    rest->len -= NGX_EGRESS_PP2_TLV_LEN + tlv->value.len;

    return NGX_OK;
}


ngx_int_t
ngx_egress_pp2_find(ngx_str_t *tlvs, ngx_uint_t type, ngx_str_t *value)
{
    ngx_int_t             rc;
    ngx_str_t             rest;
    ngx_egress_pp2_tlv_t  tlv;

    rc = NGX_DECLINED;
    rest = *tlvs;
    ngx_str_null(value);

    while (ngx_egress_pp2_next(&rest, &tlv) == NGX_OK) {

        if (tlv.type != type) {
            continue;
        }

        if (rc == NGX_OK) {
            ngx_str_null(value);
            return NGX_ERROR;
        }

        *value = tlv.value;
        rc = NGX_OK;
    }

    return rc;
}


ngx_int_t
ngx_egress_pp2_append(ngx_egress_pp2_writer_t *w, ngx_uint_t type,
    u_char *value, size_t len)
{
    size_t  room;

    room = NGX_EGRESS_PP2_HEAD_LEN + 65535 - (w->pos - w->start);
    room = ngx_min(room, (size_t) (w->end - w->pos));

    if (room < NGX_EGRESS_PP2_TLV_LEN || len > room - NGX_EGRESS_PP2_TLV_LEN) {
        return NGX_ERROR;
    }

    *w->pos++ = (u_char) type;
    w->pos = ngx_egress_put16(w->pos, len);

    if (len) {
        w->pos = ngx_cpymem(w->pos, value, len);
    }

    return NGX_OK;
}


/* the sum is known at the end */

ngx_int_t
ngx_egress_pp2_append_crc(ngx_egress_pp2_writer_t *w)
{
    static u_char  zeros[NGX_EGRESS_PP2_CRC_LEN];

    if (w->crc != NULL
        || ngx_egress_pp2_append(w, NGX_EGRESS_PP2_CRC32C, zeros,
                                 NGX_EGRESS_PP2_CRC_LEN)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    w->crc = w->pos - NGX_EGRESS_PP2_CRC_LEN;

    return NGX_OK;
}


/* four bits at a time: headers are short, a table of 16 words stays cached */

uint32_t
ngx_egress_crc32c(uint32_t crc, u_char *p, size_t len)
{
    size_t           i;
    static uint32_t  table[] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
        0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75
    };

    crc = ~crc;

    for (i = 0; i < len; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 0xf];
        crc = crc >> 4 ^ table[crc & 0xf];
    }

    return ~crc;
}
