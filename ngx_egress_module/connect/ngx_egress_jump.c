
/*
 * Copyright (C) ngx_egress authors
 *
 * Jump consistent hash.  Knows neither addresses nor peers.
 */


#include "ngx_egress_jump.h"


uint64_t
ngx_egress_hash64(u_char *data, size_t len)
{
    size_t    i;
    uint64_t  h;

    h = 0xcbf29ce484222325ULL;

    for (i = 0; i < len; i++) {
        h ^= data[i];
        h *= 0x100000001b3ULL;
    }

    /* FNV leaves the high bits of short keys alike, jump lives on them */

    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ULL;
    h ^= h >> 33;

    return h;
}


ngx_uint_t
ngx_egress_jump(uint64_t key, ngx_uint_t n)
{
    double   next;
    int64_t  bucket;

    bucket = -1;
    next = 0;

    /* each turn is the next number of buckets at which the key would move */

    while (next < (double) n) {
        bucket = (int64_t) next;
        key = key * 2862933555777941757ULL + 1;
        next = (double) (bucket + 1)
               * ((double) (1LL << 31) / (double) ((key >> 33) + 1));
    }

    return (ngx_uint_t) bucket;
}
