/* link: proto/ngx_egress_addr.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"

#include "proto/ngx_egress_addr.h"

#include <arpa/inet.h>


typedef struct {
    const char  *in;
    const char  *host;
    ngx_uint_t   port;
    ngx_uint_t   family;
    const char  *printed;
} good_t;


typedef struct {
    const char  *in;
    size_t       len;
    ngx_uint_t   error;
} bad_t;


#define BAD(s, e)  { s, sizeof(s) - 1, NGX_EGRESS_ADDR_##e }


/* exact heap copies, so that a sanitizer sees one byte too far */

static ngx_int_t
parse(ngx_egress_addr_t *a, const char *in, size_t len, ngx_uint_t flags,
    ngx_uint_t alone)
{
    u_char         *p;
    ngx_int_t       rc;
    static u_char  *buf;

    free(buf);
    buf = malloc(len ? len : 1);
    p = malloc(len ? len : 1);
    memcpy(p, in, len);

    memset(a, 0xa5, sizeof(*a));

    rc = alone ? ngx_egress_addr_host(a, buf, p, len)
               : ngx_egress_addr_parse(a, buf, p, len, flags);
    free(p);

    return rc;
}


static void
check_good(good_t *g, ngx_uint_t alone)
{
    u_char             text[NGX_EGRESS_ADDR_LEN];
    ngx_egress_addr_t  a;

    CHECK_INT(parse(&a, g->in, strlen(g->in), NGX_EGRESS_PORT_OPTIONAL, alone),
              NGX_OK);
    CHECK_STR(a.host, g->host);
    CHECK_INT(a.port, g->port);
    CHECK_INT(a.family, g->family);
    CHECK_INT(a.error, NGX_EGRESS_ADDR_OK);
    CHECK_MEM(text, ngx_egress_addr_print(text, &a) - text,
              g->printed, strlen(g->printed));
}


static void
test_host_and_port(void)
{
    size_t         i;
    static good_t  good[] = {
        { "example.net:443", "example.net", 443, AF_UNSPEC,
          "example.net:443" },
        { "EXAMPLE.Net.:1", "example.net", 1, AF_UNSPEC, "example.net:1" },
        { "a", "a", 0, AF_UNSPEC, "a" },
        { "_dmarc.x_y.example:65535", "_dmarc.x_y.example", 65535, AF_UNSPEC,
          "_dmarc.x_y.example:65535" },
        { "xn--bcher-kva.example:80", "xn--bcher-kva.example", 80, AF_UNSPEC,
          "xn--bcher-kva.example:80" },
        { "0x7f.example:80", "0x7f.example", 80, AF_UNSPEC,
          "0x7f.example:80" },
        { "1.2.3.4a:80", "1.2.3.4a", 80, AF_UNSPEC, "1.2.3.4a:80" },
        { "0xyz:80", "0xyz", 80, AF_UNSPEC, "0xyz:80" },
        { "127.0.0.1:80", "127.0.0.1", 80, AF_INET, "127.0.0.1:80" },
        { "255.255.255.255", "255.255.255.255", 0, AF_INET,
          "255.255.255.255" },
        { "127.0.0.1.:80", "127.0.0.1", 80, AF_INET, "127.0.0.1:80" },
        { "[::1]:80", "::1", 80, AF_INET6, "[::1]:80" },
        { "[::]", "::", 0, AF_INET6, "[::]" },
        { "[2001:DB8:0:0:1:0:0:1]:443", "2001:db8::1:0:0:1", 443, AF_INET6,
          "[2001:db8::1:0:0:1]:443" },
        { "[::ffff:1.2.3.4]:80", "::ffff:102:304", 80, AF_INET6,
          "[::ffff:102:304]:80" },
        { "[1::3:4:5:6:7:8]:80", "1:0:3:4:5:6:7:8", 80, AF_INET6,
          "[1:0:3:4:5:6:7:8]:80" },
        { "[fe80:0:0:0:0:0:0:0]:80", "fe80::", 80, AF_INET6, "[fe80::]:80" },
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        check_good(&good[i], 0);
    }
}


static void
test_host_alone(void)
{
    size_t         i;
    static good_t  good[] = {
        { "Example.NET.", "example.net", 0, AF_UNSPEC, "example.net" },
        { "10.0.0.1", "10.0.0.1", 0, AF_INET, "10.0.0.1" },
        { "::1", "::1", 0, AF_INET6, "[::1]" },
        { "[FE80::1]", "fe80::1", 0, AF_INET6, "[fe80::1]" },
        /* would grow by one byte: the text stays, the address is the same */
        { "A::3:4:5:6:7:8", "a::3:4:5:6:7:8", 0, AF_INET6,
          "[a:0:3:4:5:6:7:8]" },
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        check_good(&good[i], 1);
    }
}


static void
check_bad(bad_t *b, ngx_uint_t alone)
{
    ngx_egress_addr_t  a;

    CHECK_INT(parse(&a, b->in, b->len, NGX_EGRESS_PORT_OPTIONAL, alone),
              NGX_ERROR);
    CHECK_INT(a.error, b->error);
    CHECK_INT(a.host.len, 0);
    CHECK_INT(a.port, 0);

    if (a.error != b->error) {
        printf("# input \"%s\": %s\n", b->in,
               ngx_egress_addr_strerror(a.error));
    }
}


static void
test_refused(void)
{
    size_t        i;
    static bad_t  bad[] = {
        BAD("", EMPTY),
        BAD(":80", EMPTY),
        BAD(".", EMPTY_LABEL),
        BAD("a..b:80", EMPTY_LABEL),
        BAD(".a:80", EMPTY_LABEL),
        BAD("a..:80", EMPTY_LABEL),
        BAD("a\0b:80", ZERO),
        BAD("a b:80", CHAR),
        BAD("a%b:80", CHAR),
        BAD("user@a:80", CHAR),
        BAD("a/b:80", CHAR),
        BAD("*.a:80", CHAR),
        BAD("a\t:80", CHAR),
        BAD("a\r\n:80", CHAR),
        BAD("b\303\274cher.example:80", CHAR),
        BAD("a]:80", BRACKETS),
        BAD("a[:80", BRACKETS),
        BAD("[::1:80", BRACKETS),
        BAD("[::1", BRACKETS),
        BAD("[", BRACKETS),
        BAD("[::1]80", BRACKETS),
        BAD("[::1]]:80", BRACKETS),
        BAD("::1", NO_BRACKETS),
        BAD("::1:80", NO_BRACKETS),
        BAD("a:b:80", NO_BRACKETS),
        BAD("[]:80", IPV6),
        BAD("[example.net]:80", IPV6),
        BAD("[127.0.0.1]:80", IPV6),
        BAD("[::1::]:80", IPV6),
        BAD("[::1\0]:80", IPV6),
        BAD("[::ffff:0177.0.0.1]:80", IPV6),
        BAD("[1:2:3:4:5:6:7:8:9]:80", IPV6),
        BAD("[0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:1", IPV6),
        BAD("[fe80::1%eth0]:80", ZONE),
        BAD("[fe80::1%25eth0]:80", ZONE),
        BAD("2130706433:80", IPV4),
        BAD("0177.0.0.1:80", IPV4),
        BAD("0x7f.1:80", IPV4),
        BAD("0X7F000001:80", IPV4),
        BAD("0x:80", IPV4),
        BAD("127.1:80", IPV4),
        BAD("127.0.1:80", IPV4),
        BAD("127.0.0.0x1:80", IPV4),
        BAD("127.0.0.01:80", IPV4),
        BAD("256.0.0.1:80", IPV4),
        BAD("1.2.3.4.5:80", IPV4),
        BAD("example.1:80", IPV4),
        BAD("1.2.3.1000:80", IPV4),
        BAD("0:80", IPV4),
        BAD("a:", PORT),
        BAD("a:0", PORT),
        BAD("a:080", PORT),
        BAD("a:65536", PORT),
        BAD("a:100000", PORT),
        BAD("a:+80", PORT),
        BAD("a: 80", PORT),
        BAD("a:80 ", PORT),
        BAD("a:0x50", PORT),
        BAD("a:80\0", PORT),
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        check_bad(&bad[i], 0);
    }
}


static void
test_refused_alone(void)
{
    size_t        i;
    static bad_t  bad[] = {
        BAD("", EMPTY),
        BAD("a:80", IPV6),
        BAD("127.0.0.1:80", IPV6),
        BAD("[::1]:80", BRACKETS),
        BAD("fe80::1%1", ZONE),
        BAD("127.1", IPV4),
        BAD("a\0", ZERO),
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        check_bad(&bad[i], 1);
    }
}


static void
test_lengths(void)
{
    char               name[400];
    size_t             i;
    ngx_egress_addr_t  a;

    /* 63.63.63.61 is 253 */

    memset(name, 'a', sizeof(name));

    for (i = 63; i < sizeof(name); i += 64) {
        name[i] = '.';
    }

    CHECK_INT(parse(&a, name, 253, 0, 1), NGX_OK);
    CHECK_INT(a.host.len, 253);
    CHECK_INT(parse(&a, name, 254, 0, 1), NGX_ERROR);
    CHECK_INT(a.error, NGX_EGRESS_ADDR_TOO_LONG);

    name[253] = '.';
    CHECK_INT(parse(&a, name, 254, 0, 1), NGX_OK);
    CHECK_INT(a.host.len, 253);

    memset(name, 'a', sizeof(name));
    CHECK_INT(parse(&a, name, 63, 0, 1), NGX_OK);
    CHECK_INT(parse(&a, name, 64, 0, 1), NGX_ERROR);
    CHECK_INT(a.error, NGX_EGRESS_ADDR_LONG_LABEL);
}


static void
test_port_flags(void)
{
    ngx_egress_addr_t  a;

    CHECK_INT(parse(&a, "a", 1, NGX_EGRESS_PORT_REQUIRED, 0), NGX_ERROR);
    CHECK_INT(a.error, NGX_EGRESS_ADDR_NO_PORT);
    CHECK_INT(parse(&a, "[::1]", 5, NGX_EGRESS_PORT_REQUIRED, 0), NGX_ERROR);
    CHECK_INT(a.error, NGX_EGRESS_ADDR_NO_PORT);
    CHECK_INT(parse(&a, "a", 1, NGX_EGRESS_PORT_DEFAULT(3128), 0), NGX_OK);
    CHECK_INT(a.port, 3128);
    CHECK_INT(parse(&a, "a:1", 3, NGX_EGRESS_PORT_DEFAULT(3128), 0), NGX_OK);
    CHECK_INT(a.port, 1);
}


static void
test_in_place(void)
{
    u_char             text[] = "[2001:DB8::0:1]:443";
    ngx_egress_addr_t  a;

    CHECK_INT(ngx_egress_addr_parse(&a, text, text, sizeof(text) - 1, 0),
              NGX_OK);
    CHECK_STR(a.host, "2001:db8::1");
    CHECK_INT(a.port, 443);
}


static void
test_sockaddr(void)
{
    u_char               text[NGX_EGRESS_IP_LEN];
    ngx_egress_addr_t    a, b;
    struct sockaddr_in  *sin;
    struct sockaddr_in6  sa;

    CHECK_INT(parse(&a, "192.0.2.1:80", 12, 0, 0), NGX_OK);
    CHECK_INT(ngx_egress_addr_sockaddr(&a, (struct sockaddr *) &sa),
              sizeof(struct sockaddr_in));
    sin = (struct sockaddr_in *) &sa;
    CHECK_INT(ntohs(sin->sin_port), 80);
    CHECK_INT(ntohl(sin->sin_addr.s_addr), 0xc0000201);
    CHECK_INT(ngx_egress_addr_from_sockaddr(&b, text, (struct sockaddr *) &sa),
              NGX_OK);
    CHECK_STR(b.host, "192.0.2.1");
    CHECK_INT(b.port, 80);

    CHECK_INT(parse(&a, "[2001:db8::5]:80", 16, 0, 0), NGX_OK);
    CHECK_INT(ngx_egress_addr_sockaddr(&a, (struct sockaddr *) &sa),
              sizeof(struct sockaddr_in6));
    CHECK_INT(ngx_egress_addr_from_sockaddr(&b, text, (struct sockaddr *) &sa),
              NGX_OK);
    CHECK_STR(b.host, "2001:db8::5");

    CHECK_INT(parse(&a, "a:80", 4, 0, 0), NGX_OK);
    CHECK_INT(ngx_egress_addr_sockaddr(&a, (struct sockaddr *) &sa), 0);

    sa.sin6_family = AF_UNIX;
    CHECK_INT(ngx_egress_addr_from_sockaddr(&b, text, (struct sockaddr *) &sa),
              NGX_DECLINED);
}


/* libc knows the same RFC 5952 but writes some as dotted quads */

static void
test_print_ipv6_as_libc(void)
{
    char      want[INET6_ADDRSTRLEN];
    u_char    ip[16], text[NGX_EGRESS_IP_LEN];
    unsigned  i, j, seed;

    seed = 1;

    for (i = 0; i < 65536; i++) {
        for (j = 0; j < 16; j++) {
            seed = seed * 1103515245 + 12345;
            ip[j] = (i >> (j / 2) & 1) ? 0 : (u_char) (seed >> 16);
        }

        inet_ntop(AF_INET6, ip, want, sizeof(want));

        if (strchr(want, '.') == NULL) {
            CHECK_MEM(text,
                      ngx_egress_addr_print_ip(text, AF_INET6, ip) - text,
                      want, strlen(want));
        }
    }
}


static void
test_errors_have_text(void)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_EGRESS_ADDR_ERRORS; i++) {
        CHECK(ngx_egress_addr_strerror(i) != NULL);
        CHECK(strcmp(ngx_egress_addr_strerror(i), "unknown error") != 0);
    }

    CHECK(strcmp(ngx_egress_addr_strerror(i), "unknown error") == 0);
}


static unit_test_t  tests[] = {
    { "host:port is normalized and printed back", test_host_and_port },
    { "a host alone may be IPv6 without brackets", test_host_alone },
    { "every other spelling is refused with its reason", test_refused },
    { "a host alone has no port", test_refused_alone },
    { "name and label lengths are limited", test_lengths },
    { "a port may be required, optional or have a default", test_port_flags },
    { "the buffer may be the input", test_in_place },
    { "a literal becomes a sockaddr and comes back", test_sockaddr },
    { "IPv6 is printed as libc does", test_print_ipv6_as_libc },
    { "every error has a text", test_errors_have_text },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
