
/*
 * Copyright (C) ngx_egress authors
 *
 * UUID version 7.  Time and randomness are the caller's.
 */


#include "ngx_egress_uuid.h"


void
ngx_egress_uuid7(u_char *id, uint64_t msec, u_char *random)
{
    ngx_uint_t  i;

    for (i = 0; i < 6; i++) {
        id[i] = (u_char) (msec >> (40 - 8 * i));
    }

    ngx_memcpy(id + 6, random, NGX_EGRESS_UUID_RANDOM_LEN);

    id[6] = (id[6] & 0x0f) | 0x70;         /* version */
    id[8] = (id[8] & 0x3f) | 0x80;         /* variant */
}


u_char *
ngx_egress_uuid_print(u_char *buf, u_char *id)
{
    ngx_uint_t    i;
    static u_char  hex[] = "0123456789abcdef";

    for (i = 0; i < NGX_EGRESS_UUID_LEN; i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *buf++ = '-';
        }

        *buf++ = hex[id[i] >> 4];
        *buf++ = hex[id[i] & 0xf];
    }

    return buf;
}
