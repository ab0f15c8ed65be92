
/*
 * Copyright (C) ngx_egress authors
 *
 * Feeds a resumable reader whole, byte by byte, or in random pieces, and
 * watches over the contract of ngx_egress_proto.h.  Each piece is a heap
 * block of its exact size, gone after the call: a sanitizer sees a reader
 * that looks beyond it or keeps a pointer into it.
 */


#ifndef _FEED_H_INCLUDED_
#define _FEED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


typedef ngx_int_t (*feed_pt)(void *st, u_char **pos, u_char *last);


#define FEED_WHOLE  0
#define FEED_BYTES  1
/* any other number: a seed of random pieces */
#define FEED_MODES  20


#define FEED_ASSERT(expr)                                                     \
    if (!(expr)) {                                                            \
        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #expr);            \
        abort();                                                              \
    }


static inline size_t
feed_piece(unsigned mode, unsigned *seed, size_t left)
{
    size_t  n;

    if (mode == FEED_WHOLE) {
        return left;
    }

    if (mode == FEED_BYTES) {
        return 1;
    }

    *seed = *seed * 1103515245 + 12345;
    n = 1 + (*seed >> 16) % ((*seed >> 8 & 3) ? 7 : 97);

    return (n < left) ? n : left;
}


/* *used: what was consumed; an empty input gives NGX_AGAIN unasked */

static inline ngx_int_t
feed(feed_pt reader, void *st, const void *data, size_t len, unsigned mode,
    size_t *used)
{
    size_t         n, done;
    u_char        *p, *pos;
    unsigned       seed;
    ngx_int_t      rc;
    const u_char  *in;

    in = data;
    seed = mode;
    rc = NGX_AGAIN;

    for (done = 0; done < len && rc == NGX_AGAIN; /* void */ ) {
        n = feed_piece(mode, &seed, len - done);

        p = malloc(n);
        FEED_ASSERT(p != NULL);
        memcpy(p, in + done, n);

        pos = p;
        rc = reader(st, &pos, p + n);

        FEED_ASSERT(rc == NGX_OK || rc == NGX_AGAIN || rc == NGX_ERROR);
        FEED_ASSERT(pos >= p && pos <= p + n);
        FEED_ASSERT(rc != NGX_AGAIN || pos == p + n);
        FEED_ASSERT(memcmp(p, in + done, n) == 0);

        done += pos - p;
        free(p);
    }

    *used = done;

    return rc;
}


#endif /* _FEED_H_INCLUDED_ */
