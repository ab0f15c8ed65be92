/* link: proto/ngx_egress_detect.c proto/ngx_egress_field.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * The first bytes of a client: once there is an answer, it stays.
 */


#include "fuzz.h"

#include "proto/ngx_egress_detect.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t                i;
    u_char               *p;
    ngx_egress_detect_e   rc, answer;

    answer = NGX_EGRESS_DETECT_MORE;

    for (i = 0; i <= len && i < 64; i++) {
        p = malloc(i ? i : 1);
        memcpy(p, data, i);
        rc = ngx_egress_detect(p, i);
        free(p);

        if (answer == NGX_EGRESS_DETECT_MORE) {
            answer = rc;
        }

        FUZZ_ASSERT(rc == answer);
        FUZZ_ASSERT(i < NGX_EGRESS_DETECT_LEN
                    || rc != NGX_EGRESS_DETECT_MORE);
    }

    return 0;
}
