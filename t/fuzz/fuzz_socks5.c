/* link: proto/ngx_egress_socks5.c proto/ngx_egress_socks5_client.c */
/* link: proto/ngx_egress_socks.c proto/ngx_egress_addr.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * Both sides of SOCKS5.  The first byte says which message the rest is; what
 * one side reads, the other writes.
 */


#include "fuzz.h"
#include "socks5_readers.h"


static socks5_state_t  st;


static ngx_uint_t
greeting_error(void *data)
{
    return ((ngx_egress_socks5_greeting_t *) data)->frame.error;
}


static ngx_uint_t
auth_error(void *data)
{
    return ((ngx_egress_socks5_auth_t *) data)->frame.error;
}


static ngx_uint_t
request_error(void *data)
{
    return ((ngx_egress_socks5_request_t *) data)->frame.error;
}


static ngx_uint_t
choice_error(void *data)
{
    return ((ngx_egress_socks5_choice_t *) data)->frame.error;
}


static ngx_uint_t
reply_error(void *data)
{
    return ((ngx_egress_socks5_reply_t *) data)->frame.error;
}


static void
fuzz_auth(const uint8_t *data, size_t used)
{
    size_t   n;
    u_char  *buf;

    FUZZ_ASSERT(ngx_egress_socks5_client_auth_valid(&st.auth.user,
                                                    &st.auth.password));
    buf = malloc(used);
    n = ngx_egress_socks5_client_auth(buf, &st.auth.user, &st.auth.password)
        - buf;
    FUZZ_ASSERT(n == used && memcmp(buf, data, n) == 0);
    free(buf);
}


/* a name may be written shorter than it was read: no last dot */

static void
fuzz_request(void)
{
    size_t                              n, used;
    u_char                             *buf;
    static ngx_egress_socks5_request_t  first, again;

    first = st.request;
    first.addr.host.data = first.host;

    buf = malloc(NGX_EGRESS_SOCKS5_REQUEST_LEN);
    n = ngx_egress_socks5_client_request(buf, first.command, &first.addr)
        - buf;
    FUZZ_ASSERT(n <= NGX_EGRESS_SOCKS5_REQUEST_LEN);

    memset(&again, 0, sizeof(again));
    FUZZ_ASSERT(feed(request, &again, buf, n, FEED_WHOLE, &used) == NGX_OK);
    FUZZ_ASSERT(used == n);
    FUZZ_ASSERT(again.command == first.command);
    FUZZ_ASSERT(again.addr.port == first.addr.port);
    FUZZ_ASSERT(again.addr.family == first.addr.family);

    if (first.addr.family == AF_UNSPEC) {
        FUZZ_ASSERT(again.addr.host.len == first.addr.host.len);
        FUZZ_ASSERT(memcmp(again.host, first.host, again.addr.host.len) == 0);

    } else {
        FUZZ_ASSERT(memcmp(again.addr.ip.bytes, first.addr.ip.bytes,
                           first.addr.family == AF_INET ? 4 : 16) == 0);
    }

    free(buf);
}


static void
fuzz_udp(const uint8_t *data, size_t len)
{
    u_char                  *p, *buf;
    ngx_egress_socks5_udp_t  u;

    p = malloc(len ? len : 1);
    memcpy(p, data, len);

    if (ngx_egress_socks5_udp_read(&u, p, len) == NGX_OK) {
        FUZZ_ASSERT(u.size >= 8 && u.size <= len);
        FUZZ_ASSERT(u.size <= NGX_EGRESS_SOCKS5_UDP_LEN);

        buf = malloc(NGX_EGRESS_SOCKS5_UDP_LEN);
        FUZZ_ASSERT(ngx_egress_socks5_udp_write(buf, &u.addr)
                    <= buf + NGX_EGRESS_SOCKS5_UDP_LEN);
        free(buf);

    } else {
        FUZZ_ASSERT(u.error != NGX_EGRESS_SOCKS_OK);
    }

    free(p);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t      used;
    ngx_int_t   rc;
    ngx_uint_t  what;

    if (len == 0) {
        return 0;
    }

    what = *data++ % 7;
    len--;

    switch (what) {

    case 0:
        rc = fuzz_splits(greeting, &st, sizeof(st), greeting_error, data, len,
                         &used);
        FUZZ_ASSERT(rc != NGX_OK || used == (size_t) 2 + data[1]);
        break;

    case 1:
        rc = fuzz_splits(auth, &st, sizeof(st), auth_error, data, len, &used);

        if (rc == NGX_OK) {
            fuzz_auth(data, used);
        }

        break;

    case 2:
        rc = fuzz_splits(request, &st, sizeof(st), request_error, data, len,
                         &used);
        if (rc == NGX_OK) {
            fuzz_request();
        }

        break;

    case 3:
        (void) fuzz_splits(choice, &st, sizeof(st), choice_error, data, len,
                           &used);
        break;

    case 4:
        (void) fuzz_splits(status, &st, sizeof(st), choice_error, data, len,
                           &used);
        break;

    case 5:
        (void) fuzz_splits(reply, &st, sizeof(st), reply_error, data, len,
                           &used);
        break;

    default:
        fuzz_udp(data, len);
        break;
    }

    return 0;
}
