/* link: proto/ngx_egress_pp2.c proto/ngx_egress_pp2_tlv.c */
/* link: proto/ngx_egress_pp1.c proto/ngx_egress_addr.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"

#include "proto/ngx_egress_pp2.h"
#include "proto/ngx_egress_addr.h"


#define SIG  "\r\n\r\n\0\r\nQUIT\n"

#define READ(pp, s)  read_whole(pp, s, sizeof(s) - 1, 0)

#define BAD(s, e)                                                             \
    CHECK_INT(READ(&pp, s), NGX_ERROR);                                       \
    CHECK_INT(pp.error, NGX_EGRESS_PP2_##e)


static ngx_egress_pp2_t  pp;


/*
 * As a connection would: in every prefix the answer is to wait, and for no
 * more than there is; then the answer, with more behind it or without.  The
 * header stays in memory until the next call.
 */

static ngx_int_t
read_whole(ngx_egress_pp2_t *h, const char *in, size_t len, size_t max)
{
    size_t         i;
    u_char        *p;
    ngx_int_t      rc, early;
    static u_char  whole[65536 + 64];

    memcpy(whole, in, len);
    memcpy(whole + len, "early", 5);

    rc = ngx_egress_pp_read(h, whole, len + 5, max);

    for (i = 0; i < len; i++) {
        p = malloc(i + 1);
        memcpy(p, in, i);
        early = ngx_egress_pp_read(h, p, i, max);
        free(p);

        if (early == NGX_AGAIN) {
            CHECK(h->need > i);
            CHECK(rc == NGX_ERROR || h->need <= len);
            continue;
        }

        CHECK_INT(early, NGX_ERROR);
        CHECK_INT(rc, NGX_ERROR);
        return early;
    }

    CHECK_INT(ngx_egress_pp_read(h, whole, len, max), rc);

    if (rc == NGX_OK) {
        CHECK_INT(h->size, len);
    }

    return rc;
}


static void
check_addr(ngx_sockaddr_t *sa, const char *want)
{
    u_char             host[NGX_EGRESS_IP_LEN], text[NGX_EGRESS_ADDR_LEN];
    ngx_egress_addr_t  a;

    CHECK_INT(ngx_egress_addr_from_sockaddr(&a, host, &sa->sockaddr), NGX_OK);
    CHECK_MEM(text, ngx_egress_addr_print(text, &a) - text, want,
              strlen(want));
}


static void
test_v2_read(void)
{
    CHECK_INT(READ(&pp, SIG "\x21\x11\0\14\300\0\2\1\300\0\2\2\0\120\1\273"),
              NGX_OK);
    CHECK_INT(pp.version, 2);
    CHECK_INT(pp.local, 0);
    CHECK_INT(pp.family, AF_INET);
    CHECK_INT(pp.type, SOCK_STREAM);
    CHECK_INT(pp.tlvs.len, 0);
    check_addr(&pp.src, "192.0.2.1:80");
    check_addr(&pp.dst, "192.0.2.2:443");

    CHECK_INT(READ(&pp, SIG "\x21\x22\0\50"
                   "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1"
                   "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\2"
                   "\0\120\1\273" "\4\0\1\0"), NGX_OK);
    CHECK_INT(pp.family, AF_INET6);
    CHECK_INT(pp.type, SOCK_DGRAM);
    CHECK_INT(pp.tlvs.len, 4);
    check_addr(&pp.src, "[2001:db8::1]:80");
    check_addr(&pp.dst, "[2001:db8::2]:443");

    CHECK_INT(READ(&pp, SIG "\x21\0\0\0"), NGX_OK);
    CHECK_INT(pp.local, 0);
    CHECK_INT(pp.family, AF_UNSPEC);

    CHECK_INT(READ(&pp, SIG "\x21\0\0\4\340\0\1a"), NGX_OK);
    CHECK_INT(pp.tlvs.len, 4);
}


static void
test_v2_local(void)
{
    CHECK_INT(READ(&pp, SIG "\x20\0\0\0"), NGX_OK);
    CHECK_INT(pp.local, 1);
    CHECK_INT(pp.family, AF_UNSPEC);

    CHECK_INT(READ(&pp, SIG "\x20\xff\0\5abcde"), NGX_OK);
    CHECK_INT(pp.local, 1);
    CHECK_INT(pp.tlvs.len, 0);

    CHECK_INT(READ(&pp, SIG "\x20\x11\0\14\300\0\2\1\300\0\2\2\0\120\1\273"),
              NGX_OK);
    CHECK_INT(pp.family, AF_UNSPEC);
}


static void
test_v2_local_tlvs(void)
{
    u_char  *p;

    p = (u_char *) SIG "\x20\0\0\5\340\0\2ab";
    CHECK_INT(ngx_egress_pp2_read(&pp, p, 21, 0), NGX_OK);
    CHECK_INT(pp.tlvs.len, 0);
    CHECK_INT(ngx_egress_pp2_local_tlvs(&pp, p), NGX_OK);
    CHECK_INT(pp.tlvs.len, 5);

    p = (u_char *) SIG "\x20\0\0\5\340\0\3ab";
    CHECK_INT(ngx_egress_pp2_read(&pp, p, 21, 0), NGX_OK);
    CHECK_INT(ngx_egress_pp2_local_tlvs(&pp, p), NGX_ERROR);
    CHECK_INT(pp.tlvs.len, 0);

    /* with addresses of a family the list does not begin here */

    p = (u_char *) SIG "\x20\x11\0\5\340\0\2ab";
    CHECK_INT(ngx_egress_pp2_read(&pp, p, 21, 0), NGX_OK);
    CHECK_INT(ngx_egress_pp2_local_tlvs(&pp, p), NGX_ERROR);

    CHECK_INT(READ(&pp, "PROXY UNKNOWN\r\n"), NGX_OK);
    CHECK_INT(ngx_egress_pp2_local_tlvs(&pp, p), NGX_ERROR);
}


static void
test_v2_refused(void)
{
    BAD("GET / HTTP/1.1", NO_HEADER);
    BAD("\r\n\r\n\0\r\nQUIX", NO_HEADER);
    BAD(SIG "\x11", VERSION);
    BAD(SIG "\x22", VERSION);
    BAD(SIG "\x21\x41", FAMILY);
    BAD(SIG "\x21\x13", FAMILY);
    BAD(SIG "\x21\x11\0\13\300\0\2\1\300\0\2\2\0\120\1", SHORT);
    BAD(SIG "\x21\x31\0\1a", SHORT);
    BAD(SIG "\x21\0\0\2\340\0", BAD_TLV);
    BAD(SIG "\x21\0\0\4\340\0\2a", BAD_TLV);
    BAD(SIG "\x21\0\0\7\340\0\1a\341\0\1", BAD_TLV);
    BAD(SIG "\x21\0\0\3\3\0\0", BAD_CRC);
    BAD(SIG "\x21\0\0\7\3\0\4abcd", BAD_CRC);

    CHECK_INT(read_whole(&pp, SIG "\x21\0\0\4\340\0\1a", 20, 20), NGX_OK);
    CHECK_INT(read_whole(&pp, SIG "\x21\0\0\4\340\0\1a", 20, 19), NGX_ERROR);
    CHECK_INT(pp.error, NGX_EGRESS_PP2_TOO_LONG);
}


static void
test_tlvs(void)
{
    ngx_str_t             value, rest;
    ngx_egress_pp2_tlv_t  tlv;
    static ngx_str_t      tlvs =
        ngx_string("\340\0\5a.b:1\343\0\3\0x\0\341\0\0\4\0\1x\4\0\1y");

    CHECK_INT(ngx_egress_pp2_find(&tlvs, 0xe0, &value), NGX_OK);
    CHECK_STR(value, "a.b:1");
    CHECK_INT(ngx_egress_pp2_find(&tlvs, 0xe3, &value), NGX_OK);
    CHECK_MEM(value.data, value.len, "\0x\0", 3);
    CHECK_INT(ngx_egress_pp2_find(&tlvs, 0xe1, &value), NGX_OK);
    CHECK_INT(value.len, 0);
    CHECK_INT(ngx_egress_pp2_find(&tlvs, 0xe2, &value), NGX_DECLINED);
    CHECK_INT(ngx_egress_pp2_find(&tlvs, 4, &value), NGX_ERROR);
    CHECK_INT(value.len, 0);

    rest = tlvs;
    CHECK_INT(ngx_egress_pp2_next(&rest, &tlv), NGX_OK);
    CHECK_INT(tlv.type, 0xe0);
    CHECK_INT(ngx_egress_pp2_next(&rest, &tlv), NGX_OK);
    CHECK_INT(tlv.type, 0xe3);
    CHECK_INT(ngx_egress_pp2_next(&rest, &tlv), NGX_OK);
    CHECK_INT(ngx_egress_pp2_next(&rest, &tlv), NGX_OK);
    CHECK_INT(ngx_egress_pp2_next(&rest, &tlv), NGX_OK);
    CHECK_INT(ngx_egress_pp2_next(&rest, &tlv), NGX_DONE);
}


static void
addr_pair(ngx_egress_pp2_t *h, const char *src, const char *dst)
{
    u_char             host[256];
    ngx_egress_addr_t  a;

    memset(h, 0, sizeof(*h));

    CHECK_INT(ngx_egress_addr_parse(&a, host, (u_char *) src, strlen(src), 0),
              NGX_OK);
    CHECK(ngx_egress_addr_sockaddr(&a, &h->src.sockaddr) != 0);
    CHECK_INT(ngx_egress_addr_parse(&a, host, (u_char *) dst, strlen(dst), 0),
              NGX_OK);
    CHECK(ngx_egress_addr_sockaddr(&a, &h->dst.sockaddr) != 0);

    h->family = a.family;
    h->type = SOCK_STREAM;
}


static void
test_v2_round_trip(void)
{
    u_char                    buf[512], *end;
    ngx_str_t                 value;
    ngx_egress_pp2_writer_t   w;

    addr_pair(&pp, "[2001:db8::1]:80", "[2001:db8::2]:443");

    CHECK_INT(ngx_egress_pp2_begin(&w, buf, sizeof(buf), &pp), NGX_OK);
    CHECK_INT(ngx_egress_pp2_append(&w, 0xe0, (u_char *) "a.b:1", 5), NGX_OK);
    CHECK_INT(ngx_egress_pp2_append_crc(&w), NGX_OK);
    CHECK_INT(ngx_egress_pp2_append_crc(&w), NGX_ERROR);
    CHECK_INT(ngx_egress_pp2_append(&w, 0xe3,
                                    (u_char *) "0123\0" "56789\0bcdef", 16),
              NGX_OK);
    CHECK_INT(ngx_egress_pp2_append(&w, 0xe1, NULL, 0), NGX_OK);
    end = ngx_egress_pp2_end(&w);

    CHECK_INT(end - buf, 16 + 36 + 8 + 7 + 19 + 3);
    CHECK_INT(read_whole(&pp, (char *) buf, end - buf, 0), NGX_OK);
    check_addr(&pp.src, "[2001:db8::1]:80");
    check_addr(&pp.dst, "[2001:db8::2]:443");
    CHECK_INT(ngx_egress_pp2_find(&pp.tlvs, 0xe3, &value), NGX_OK);
    CHECK_MEM(value.data, value.len, "0123\0" "56789\0bcdef", 16);

    /*
     * one bit anywhere is noticed, but for the one that makes it LOCAL and
     * the one that makes the checksum another TLV
     */

    for (end--; end >= buf; end--) {
        *end ^= 1;
        CHECK_INT(ngx_egress_pp2_read(&pp, buf, sizeof(buf), 0),
                  (end == &buf[12] || end == &buf[16 + 36 + 8])
                  ? NGX_OK : NGX_ERROR);
        *end ^= 1;
    }
}


static void
test_v2_unix(void)
{
    u_char                    buf[16 + NGX_EGRESS_PP2_ADDR_LEN];
    ngx_egress_pp2_writer_t   w;

    memset(&pp, 0, sizeof(pp));
    pp.family = AF_UNIX;
    pp.type = SOCK_STREAM;
    memset(pp.src.sockaddr_un.sun_path, 's', 108);
    strcpy(pp.dst.sockaddr_un.sun_path, "/run/x");

    CHECK_INT(ngx_egress_pp2_begin(&w, buf, sizeof(buf), &pp), NGX_OK);
    CHECK(ngx_egress_pp2_end(&w) == buf + sizeof(buf));
    CHECK_INT(read_whole(&pp, (char *) buf, sizeof(buf), 0), NGX_OK);
    CHECK_INT(pp.family, AF_UNIX);
    CHECK_INT(pp.src.sockaddr_un.sun_path[107], 's');
    CHECK(strcmp(pp.dst.sockaddr_un.sun_path, "/run/x") == 0);
}


static void
test_v2_room(void)
{
    static u_char             buf[16 + 65535 + 16], value[65535];
    ngx_egress_pp2_writer_t   w;

    addr_pair(&pp, "192.0.2.1:80", "192.0.2.2:443");

    CHECK_INT(ngx_egress_pp2_begin(&w, buf, 27, &pp), NGX_ERROR);
    CHECK_INT(ngx_egress_pp2_begin(&w, buf, 28, &pp), NGX_OK);
    CHECK_INT(ngx_egress_pp2_append(&w, 1, NULL, 0), NGX_ERROR);

    CHECK_INT(ngx_egress_pp2_begin(&w, buf, 32, &pp), NGX_OK);
    CHECK_INT(ngx_egress_pp2_append(&w, 1, value, 2), NGX_ERROR);
    CHECK_INT(ngx_egress_pp2_append(&w, 1, value, 1), NGX_OK);

    pp.local = 1;
    CHECK_INT(ngx_egress_pp2_begin(&w, buf, sizeof(buf), &pp), NGX_OK);
    CHECK_MEM(buf, 16, SIG "\x20\0\0\0", 16);
    CHECK_INT(ngx_egress_pp2_append(&w, 1, value, 65535), NGX_ERROR);
    CHECK_INT(ngx_egress_pp2_append(&w, 1, value, 65533), NGX_ERROR);
    CHECK_INT(ngx_egress_pp2_append(&w, 1, value, 65532), NGX_OK);
    CHECK_INT(ngx_egress_pp2_append(&w, 1, NULL, 0), NGX_ERROR);
    CHECK(ngx_egress_pp2_end(&w) == buf + 16 + 65535);
}


static void
test_v1_read(void)
{
    CHECK_INT(READ(&pp, "PROXY TCP4 192.0.2.1 192.0.2.2 80 443\r\n"), NGX_OK);
    CHECK_INT(pp.version, 1);
    CHECK_INT(pp.family, AF_INET);
    check_addr(&pp.src, "192.0.2.1:80");
    check_addr(&pp.dst, "192.0.2.2:443");

    CHECK_INT(READ(&pp, "PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 0 65535\r\n"),
              NGX_OK);
    CHECK_INT(pp.family, AF_INET6);
    check_addr(&pp.dst, "[::ffff:102:304]:65535");

    CHECK_INT(READ(&pp, "PROXY UNKNOWN\r\n"), NGX_OK);
    CHECK_INT(pp.local, 1);
    CHECK_INT(READ(&pp, "PROXY UNKNOWN ffff::1 what ever\r\n"), NGX_OK);
    CHECK_INT(pp.local, 1);
}


static void
test_v1_refused(void)
{
    BAD("PROXX", NO_HEADER);
    BAD("PROXY\tTCP4 1.1.1.1 2.2.2.2 1 2\r\n", NO_HEADER);
    BAD("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n", BAD_V1);
    BAD("PROXY \n", BAD_V1);
    BAD("PROXY \r\n", BAD_V1);
    BAD("PROXY TCP4\r\n", BAD_V1);
    BAD("PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", BAD_V1);
    BAD("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n", BAD_V1);
    BAD("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n", BAD_V1);
    BAD("PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n", BAD_V1);
    BAD("PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", BAD_V1);
    BAD("PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n", BAD_V1);
    BAD("PROXY TCP4 1.1.1.1 2.2.2.2 1 \r\n", BAD_V1);
    BAD("PROXY TCP4 1.1.1.01 2.2.2.2 1 2\r\n", BAD_V1);
    BAD("PROXY TCP4 1.1.1.1. 2.2.2.2 1 2\r\n", BAD_V1);
    BAD("PROXY TCP4 ::1 ::2 1 2\r\n", BAD_V1);
    BAD("PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", BAD_V1);
    BAD("PROXY TCP6 [::1] ::2 1 2\r\n", BAD_V1);
    BAD("PROXY TCP4 a.example b.example 1 2\r\n", BAD_V1);
    BAD("PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", BAD_V1);
    BAD("PROXY UNKNOWNX\r\n", BAD_V1);
    BAD("PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", TOO_LONG);
}


static void
check_v1_written(const char *want)
{
    u_char  buf[NGX_EGRESS_PP1_LEN];

    CHECK_MEM(buf, ngx_egress_pp1_write(buf, &pp) - buf, want, strlen(want));
}


static void
test_v1_written(void)
{
    addr_pair(&pp, "192.0.2.1:80", "192.0.2.2:443");
    check_v1_written("PROXY TCP4 192.0.2.1 192.0.2.2 80 443\r\n");
    pp.local = 1;
    check_v1_written("PROXY UNKNOWN\r\n");

    addr_pair(&pp, "[1111:1111:1111:1111:1111:1111:1111:1111]:65535",
              "[1111:1111:1111:1111:1111:1111:1111:1111]:65535");
    check_v1_written("PROXY TCP6 1111:1111:1111:1111:1111:1111:1111:1111 "
                     "1111:1111:1111:1111:1111:1111:1111:1111 65535 65535\r\n");
    pp.type = SOCK_DGRAM;
    check_v1_written("PROXY UNKNOWN\r\n");

    addr_pair(&pp, "192.0.2.1", "192.0.2.2");
    check_v1_written("PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n");

    memset(&pp, 0, sizeof(pp));
    check_v1_written("PROXY UNKNOWN\r\n");
}


static void
test_crc32c(void)
{
    u_char  data[32];

    /* RFC 3720, B.4 */

    memset(data, 0, sizeof(data));
    CHECK_INT(ngx_egress_crc32c(0, data, 32), 0x8a9136aa);
    memset(data, 0xff, sizeof(data));
    CHECK_INT(ngx_egress_crc32c(0, data, 32), 0x62a8ab43);
    CHECK_INT(ngx_egress_crc32c(0, (u_char *) "123456789", 9), 0xe3069283);
    CHECK_INT(ngx_egress_crc32c(ngx_egress_crc32c(0, (u_char *) "1234", 4),
                                (u_char *) "56789", 5), 0xe3069283);
}


static void
test_errors_have_text(void)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_EGRESS_PP2_ERRORS; i++) {
        CHECK(ngx_egress_pp2_strerror(i) != NULL);
        CHECK(strcmp(ngx_egress_pp2_strerror(i), "unknown error") != 0);
    }

    CHECK(strcmp(ngx_egress_pp2_strerror(i), "unknown error") == 0);
}


static unit_test_t  tests[] = {
    { "version 2 is read as soon as it is whole", test_v2_read },
    { "LOCAL is accepted and its contents discarded", test_v2_local },
    { "TLVs of LOCAL can be asked for", test_v2_local_tlvs },
    { "malformed version 2 is refused with a reason", test_v2_refused },
    { "TLVs are binary, and found only if unique", test_tlvs },
    { "what was written is read back, and the checksum guards it",
      test_v2_round_trip },
    { "unix paths of full length survive", test_v2_unix },
    { "no byte is written beyond the buffer or the 16-bit length",
      test_v2_room },
    { "version 1 is read", test_v1_read },
    { "version 1 is read strictly", test_v1_refused },
    { "version 1 is written", test_v1_written },
    { "CRC32C is the one of RFC 3720", test_crc32c },
    { "every error has a text", test_errors_have_text },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
