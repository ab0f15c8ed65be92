/* link: proto/ngx_egress_pp2.c proto/ngx_egress_pp2_tlv.c */
/* link: proto/ngx_egress_pp1.c proto/ngx_egress_addr.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * PROXY headers of both versions.  Every prefix of a good one is waited for,
 * and what was read is written back byte for byte.
 */


#include "fuzz.h"

#include "proto/ngx_egress_pp2.h"


static ngx_int_t
fuzz_read(ngx_egress_pp2_t *pp, const uint8_t *data, size_t len)
{
    u_char           *p;
    ngx_int_t         rc;
    static u_char    *kept;

    free(kept);
    kept = p = malloc(len ? len : 1);
    memcpy(p, data, len);

    rc = ngx_egress_pp_read(pp, p, len, 0);

    FUZZ_ASSERT(rc == NGX_OK || rc == NGX_AGAIN || rc == NGX_ERROR);
    FUZZ_ASSERT((rc == NGX_ERROR) == (pp->error != NGX_EGRESS_PP2_OK));
    FUZZ_ASSERT(rc != NGX_AGAIN || pp->need > len);
    FUZZ_ASSERT(rc != NGX_OK || pp->size <= len);

    return rc;
}


/* the answer must not depend on what follows, nor on when we ask */

static void
fuzz_prefixes(const uint8_t *data, size_t len, ngx_int_t want, size_t size)
{
    size_t            i;
    ngx_int_t         rc;
    ngx_egress_pp2_t  pp;

    rc = NGX_AGAIN;

    for (i = 0; i <= len && i < 300; i++) {
        rc = fuzz_read(&pp, data, i);

        if (rc != NGX_AGAIN) {
            break;
        }

        FUZZ_ASSERT(want != NGX_OK || pp.need <= size);
    }

    if (rc == NGX_AGAIN && len >= 300) {
        return;
    }

    FUZZ_ASSERT(rc == want);
    FUZZ_ASSERT(want != NGX_OK || i == size);
}


static void
fuzz_write_v2(ngx_egress_pp2_t *pp, const uint8_t *data)
{
    u_char                   *buf;
    ngx_int_t                 rc;
    ngx_str_t                 rest, value;
    ngx_egress_pp2_tlv_t      tlv;
    ngx_egress_pp2_writer_t   w;

    buf = malloc(pp->size);
    FUZZ_ASSERT(ngx_egress_pp2_begin(&w, buf, pp->size, pp) == NGX_OK);

    rest = pp->tlvs;

    while ((rc = ngx_egress_pp2_next(&rest, &tlv)) == NGX_OK) {

        rc = ngx_egress_pp2_find(&pp->tlvs, tlv.type, &value);
        FUZZ_ASSERT(rc != NGX_DECLINED);
        FUZZ_ASSERT(rc != NGX_OK || value.data == tlv.value.data);

        if (tlv.type == NGX_EGRESS_PP2_CRC32C) {
            rc = ngx_egress_pp2_append_crc(&w);

        } else {
            rc = ngx_egress_pp2_append(&w, tlv.type, tlv.value.data,
                                       tlv.value.len);
        }

        FUZZ_ASSERT(rc == NGX_OK);
    }

    FUZZ_ASSERT(rc == NGX_DONE);
    FUZZ_ASSERT(ngx_egress_pp2_append(&w, 0, NULL, 0) == NGX_ERROR);
    FUZZ_ASSERT(ngx_egress_pp2_end(&w) == buf + pp->size);
    FUZZ_ASSERT(memcmp(buf, data, pp->size) == 0);

    free(buf);
}


static void
fuzz_write_v1(ngx_egress_pp2_t *pp)
{
    size_t            n;
    u_char           *buf;
    ngx_egress_pp2_t  again;

    buf = malloc(NGX_EGRESS_PP1_LEN);
    n = ngx_egress_pp1_write(buf, pp) - buf;
    FUZZ_ASSERT(n <= NGX_EGRESS_PP1_LEN);
    FUZZ_ASSERT(ngx_egress_pp1_read(&again, buf, n) == NGX_OK);
    FUZZ_ASSERT(again.local == pp->local && again.family == pp->family);
    FUZZ_ASSERT(memcmp(&again.src, &pp->src, sizeof(pp->src)) == 0);
    FUZZ_ASSERT(memcmp(&again.dst, &pp->dst, sizeof(pp->dst)) == 0);
    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t            size;
    ngx_int_t         rc;
    ngx_egress_pp2_t  pp;

    rc = fuzz_read(&pp, data, len);
    size = pp.size;

    if (rc == NGX_OK && pp.version == 2 && !pp.local) {
        fuzz_write_v2(&pp, data);
    }

    if (rc == NGX_OK && pp.local
        && ngx_egress_pp2_local_tlvs(&pp, (u_char *) data) == NGX_OK)
    {
        fuzz_write_v2(&pp, data);
    }

    if (rc == NGX_OK && pp.version == 1) {
        fuzz_write_v1(&pp);
    }

    fuzz_prefixes(data, len, rc, size);

    return 0;
}
