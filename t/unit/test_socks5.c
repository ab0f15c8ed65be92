/* link: proto/ngx_egress_socks5.c proto/ngx_egress_socks5_client.c */
/* link: proto/ngx_egress_socks.c proto/ngx_egress_addr.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"
#include "feed.h"
#include "socks5_readers.h"


static socks5_state_t  st;


static ngx_int_t
run(feed_pt reader, const char *in, size_t len, unsigned mode, size_t *used)
{
    memset(&st, 0, sizeof(st));

    return feed(reader, &st, in, len, mode, used);
}


/* the same answer at any split; all that precedes is incomplete */

static void
check(feed_pt reader, const char *in, size_t len, ngx_int_t want)
{
    char      buf[1024];
    size_t    i, used;
    unsigned  mode;

    memcpy(buf, in, len);
    memcpy(buf + len, "early", 5);

    for (mode = 0; mode < FEED_MODES; mode++) {
        CHECK_INT(run(reader, buf, len + 5, mode, &used), want);

        if (want == NGX_OK) {
            CHECK_INT(used, len);
        }
    }

    for (i = 0; want == NGX_OK && i < len; i++) {
        CHECK_INT(run(reader, buf, i, 0, &used), NGX_AGAIN);
    }

    CHECK_INT(run(reader, buf, len, 1, &used), want);
}


#define GOOD(reader, s)  check(reader, s, sizeof(s) - 1, NGX_OK)

#define BAD(reader, s, field, e)                                              \
    check(reader, s, sizeof(s) - 1, NGX_ERROR);                               \
    CHECK_INT(st.field.frame.error, NGX_EGRESS_SOCKS_##e)


static void
test_greeting(void)
{
    GOOD(greeting, "\5\2\0\2");
    CHECK(ngx_egress_socks5_offers(&st.greeting, NGX_EGRESS_SOCKS5_NO_AUTH));
    CHECK(ngx_egress_socks5_offers(&st.greeting, NGX_EGRESS_SOCKS5_USERPASS));
    CHECK(!ngx_egress_socks5_offers(&st.greeting, 5));
    CHECK(!ngx_egress_socks5_offers(&st.greeting, 1));

    GOOD(greeting, "\5\0");
    CHECK(!ngx_egress_socks5_offers(&st.greeting, NGX_EGRESS_SOCKS5_NO_AUTH));

    BAD(greeting, "\4", greeting, VERSION);
}


static void
test_auth(void)
{
    GOOD(auth, "\1\4user\6secret");
    CHECK_STR(st.auth.user, "user");
    CHECK_STR(st.auth.password, "secret");

    BAD(auth, "\5", auth, VERSION);
    BAD(auth, "\1\0", auth, USER);
    BAD(auth, "\1\4user\0", auth, PASSWORD);
    BAD(auth, "\1\4us\0r\6secret", auth, USER);
    BAD(auth, "\1\4user\6secr\0t", auth, PASSWORD);
}


static void
test_auth_longest(void)
{
    char    in[513];
    size_t  used;

    memset(in, 'a', sizeof(in));
    in[0] = 1;
    in[1] = in[1 + 1 + 255] = (char) 255;

    CHECK_INT(run(auth, in, sizeof(in), 1, &used), NGX_OK);
    CHECK_INT(used, sizeof(in));
    CHECK_INT(st.auth.user.len, 255);
    CHECK_INT(st.auth.password.len, 255);
}


static void
test_request(void)
{
    GOOD(request, "\5\1\0\1\300\0\2\1\1\273");
    CHECK_INT(st.request.command, NGX_EGRESS_SOCKS_CONNECT);
    CHECK_STR(st.request.addr.host, "192.0.2.1");
    CHECK_INT(st.request.addr.port, 443);

    GOOD(request, "\5\1\0\3\14Example.NET.\0\120");
    CHECK_STR(st.request.addr.host, "example.net");
    CHECK_INT(st.request.addr.family, AF_UNSPEC);
    CHECK_INT(st.request.addr.port, 80);

    GOOD(request, "\5\1\0\3\011127.0.0.1\0\120");
    CHECK_INT(st.request.addr.family, AF_INET);

    GOOD(request, "\5\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\120");
    CHECK_INT(st.request.command, NGX_EGRESS_SOCKS_BIND);
    CHECK_STR(st.request.addr.host, "::1");

    GOOD(request, "\5\3\0\1\0\0\0\0\0\0");
    CHECK_INT(st.request.command, NGX_EGRESS_SOCKS_UDP_ASSOCIATE);
    CHECK_INT(st.request.addr.port, 0);

    GOOD(request, "\5\377\0\1\0\0\0\0\0\0");
    CHECK_INT(st.request.command, 255);
}


static void
test_request_refused(void)
{
    BAD(request, "\4", request, VERSION);
    BAD(request, "\5\1\1", request, RESERVED);
    BAD(request, "\5\1\0\2", request, ATYP);
    BAD(request, "\5\1\0\0", request, ATYP);
    BAD(request, "\5\1\0\1\300\0\2\1\0\0", request, PORT);
    BAD(request, "\5\1\0\3\0\0\120", request, HOST);
    CHECK_INT(st.request.addr.error, NGX_EGRESS_ADDR_EMPTY);
    BAD(request, "\5\1\0\3\3a\0b\0\120", request, HOST);
    CHECK_INT(st.request.addr.error, NGX_EGRESS_ADDR_ZERO);
    BAD(request, "\5\1\0\3\3a b\0\120", request, HOST);
    BAD(request, "\5\1\0\3\00512.13\0\120", request, HOST);
    CHECK_INT(st.request.addr.error, NGX_EGRESS_ADDR_IPV4);
}


static void
test_server_answers(void)
{
    u_char             buf[NGX_EGRESS_SOCKS5_REPLY_LEN], host[64];
    ngx_egress_addr_t  a;

    CHECK_MEM(buf, ngx_egress_socks5_choice(buf, 0xff) - buf, "\5\377", 2);
    CHECK_MEM(buf, ngx_egress_socks5_auth_status(buf, 1) - buf, "\1\0", 2);
    CHECK_MEM(buf, ngx_egress_socks5_auth_status(buf, 0) - buf, "\1\1", 2);

    CHECK_MEM(buf, ngx_egress_socks5_reply(buf, 5, NULL) - buf,
              "\5\5\0\1\0\0\0\0\0\0", 10);

    ngx_egress_addr_in6(&a, host, (u_char *) "0123456789abcdef", 443);
    CHECK_MEM(buf, ngx_egress_socks5_reply(buf, 0, &a) - buf,
              "\5\0\0\0040123456789abcdef\1\273", 22);
}


static void
test_client_writes(void)
{
    u_char             buf[NGX_EGRESS_SOCKS5_AUTH_LEN], host[64];
    ngx_str_t          user = ngx_string("user");
    ngx_str_t          secret = ngx_string("secret");
    ngx_egress_addr_t  a;

    CHECK_MEM(buf, ngx_egress_socks5_client_greeting(buf, 0) - buf,
              "\5\1\0", 3);
    CHECK_MEM(buf, ngx_egress_socks5_client_greeting(buf, 1) - buf,
              "\5\2\0\2", 4);
    CHECK_MEM(buf, ngx_egress_socks5_client_auth(buf, &user, &secret) - buf,
              "\1\4user\6secret", 13);

    CHECK_INT(ngx_egress_addr_parse(&a, host, (u_char *) "a.example:80", 12,
                                    0), NGX_OK);
    CHECK_MEM(buf, ngx_egress_socks5_client_request(buf, 1, &a) - buf,
              "\5\1\0\3\011a.example\0\120", 16);
    CHECK_MEM(buf, ngx_egress_socks5_client_request(buf, 3, NULL) - buf,
              "\5\3\0\1\0\0\0\0\0\0", 10);
}


static void
test_client_auth_valid(void)
{
    u_char     data[256];
    ngx_str_t  good = ngx_string("a");
    ngx_str_t  zero = ngx_string("a\0");
    ngx_str_t  empty = ngx_null_string;
    ngx_str_t  longest;

    memset(data, 'a', sizeof(data));
    longest.data = data;
    longest.len = 255;

    CHECK(ngx_egress_socks5_client_auth_valid(&longest, &longest));
    CHECK(!ngx_egress_socks5_client_auth_valid(&empty, &good));
    CHECK(!ngx_egress_socks5_client_auth_valid(&good, &empty));
    CHECK(!ngx_egress_socks5_client_auth_valid(&zero, &good));
    CHECK(!ngx_egress_socks5_client_auth_valid(&good, &zero));

    longest.len = 256;
    CHECK(!ngx_egress_socks5_client_auth_valid(&longest, &good));
    CHECK(!ngx_egress_socks5_client_auth_valid(&good, &longest));
}


static void
test_client_reads(void)
{
    GOOD(choice, "\5\2");
    CHECK_INT(st.choice.code, NGX_EGRESS_SOCKS5_USERPASS);
    GOOD(choice, "\5\377");
    CHECK_INT(st.choice.code, NGX_EGRESS_SOCKS5_NONE_ACCEPTABLE);
    BAD(choice, "\4", choice, VERSION);

    GOOD(status, "\1\0");
    CHECK_INT(st.choice.code, 0);
    GOOD(status, "\5\1");
    CHECK_INT(st.choice.code, 1);
    BAD(status, "\2", choice, VERSION);
}


static void
test_client_reply(void)
{
    GOOD(reply, "\5\0\0\1\300\0\2\1\1\273");
    CHECK_INT(st.reply.code, 0);
    CHECK_STR(st.reply.bound.host, "192.0.2.1");
    CHECK_INT(st.reply.bound.port, 443);

    GOOD(reply, "\5\0\0\3\1a\1\273");
    CHECK_STR(st.reply.bound.host, "a");

    /* a bound name that is no name: CONNECT succeeded all the same */
    GOOD(reply, "\5\0\0\3\0\1\273");
    CHECK_INT(st.reply.code, 0);
    CHECK_INT(st.reply.bound.error, NGX_EGRESS_ADDR_EMPTY);

    GOOD(reply, "\5\5");
    CHECK_INT(st.reply.code, NGX_EGRESS_SOCKS5_REFUSED);

    BAD(reply, "\4", reply, VERSION);
    BAD(reply, "\5\0\0\2", reply, ATYP);
}


#define UDP(s)  udp(&u, s, sizeof(s) - 1)


static ngx_int_t
udp(ngx_egress_socks5_udp_t *u, const char *in, size_t len)
{
    u_char     *p;
    ngx_int_t   rc;

    p = malloc(len ? len : 1);
    memcpy(p, in, len);
    memset(u, 0xa5, sizeof(*u));

    rc = ngx_egress_socks5_udp_read(u, p, len);

    free(p);

    return rc;
}


static void
test_udp_read(void)
{
    size_t                   i;
    ngx_egress_socks5_udp_t  u;

    CHECK_INT(UDP("\0\0\0\1\300\0\2\1\0\65data"), NGX_OK);
    CHECK_STR(u.addr.host, "192.0.2.1");
    CHECK_INT(u.addr.port, 53);
    CHECK_INT(u.frag, 0);
    CHECK_INT(u.size, 10);

    CHECK_INT(UDP("\0\0\1\3\1a\0\65"), NGX_OK);
    CHECK_STR(u.addr.host, "a");
    CHECK_INT(u.frag, 1);
    CHECK_INT(u.size, 8);

    CHECK_INT(UDP("\0\0\0\4" "0123456789abcdef\0\65"), NGX_OK);
    CHECK_INT(u.addr.family, AF_INET6);
    CHECK_INT(u.size, 22);

    for (i = 0; i < 10; i++) {
        CHECK_INT(udp(&u, "\0\0\0\1\300\0\2\1\0\65", i), NGX_ERROR);
        CHECK_INT(u.error, NGX_EGRESS_SOCKS_SHORT);
    }

    for (i = 0; i < 8; i++) {
        CHECK_INT(udp(&u, "\0\0\0\3\1a\0\65", i), NGX_ERROR);
        CHECK_INT(u.error, NGX_EGRESS_SOCKS_SHORT);
    }

    CHECK_INT(UDP("\1\0\0\1\300\0\2\1\0\65"), NGX_ERROR);
    CHECK_INT(u.error, NGX_EGRESS_SOCKS_RESERVED);
    CHECK_INT(UDP("\0\0\0\2\300\0\2\1\0\65"), NGX_ERROR);
    CHECK_INT(u.error, NGX_EGRESS_SOCKS_ATYP);
    CHECK_INT(UDP("\0\0\0\3\0\0\65"), NGX_ERROR);
    CHECK_INT(u.error, NGX_EGRESS_SOCKS_HOST);
    CHECK_INT(UDP("\0\0\0\3\2a\0\0\65"), NGX_ERROR);
    CHECK_INT(u.error, NGX_EGRESS_SOCKS_HOST);
}


static void
test_udp_write(void)
{
    u_char             buf[NGX_EGRESS_SOCKS5_UDP_LEN], host[64];
    ngx_egress_addr_t  a;

    ngx_egress_addr_in(&a, host, (u_char *) "\300\0\2\1", 53);
    CHECK_MEM(buf, ngx_egress_socks5_udp_write(buf, &a) - buf,
              "\0\0\0\1\300\0\2\1\0\65", 10);
}


static unit_test_t  tests[] = {
    { "a greeting is read at any split", test_greeting },
    { "user name and password are read and judged", test_auth },
    { "the longest user name and password fit", test_auth_longest },
    { "a request is read at any split", test_request },
    { "a malformed request is refused with a reason", test_request_refused },
    { "the server's answers", test_server_answers },
    { "what the client writes", test_client_writes },
    { "credentials that RFC 1929 cannot carry are seen",
      test_client_auth_valid },
    { "choice and status are read at any split", test_client_reads },
    { "a reply is read at any split", test_client_reply },
    { "a datagram's header is read, and never beyond", test_udp_read },
    { "a datagram's header is written", test_udp_write },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
