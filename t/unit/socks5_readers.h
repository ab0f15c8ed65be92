
/*
 * Copyright (C) ngx_egress authors
 *
 * The readers of SOCKS5 messages with one signature, for tables, and room for
 * the state of any of them.
 */

#ifndef _SOCKS5_READERS_H_INCLUDED_
#define _SOCKS5_READERS_H_INCLUDED_


#include "proto/ngx_egress_socks5_client.h"


typedef union {
    ngx_egress_socks5_greeting_t  greeting;
    ngx_egress_socks5_auth_t      auth;
    ngx_egress_socks5_request_t   request;
    ngx_egress_socks5_choice_t    choice;
    ngx_egress_socks5_reply_t     reply;
} socks5_state_t;


static ngx_int_t
greeting(void *data, u_char **pos, u_char *last)
{
    return ngx_egress_socks5_greeting(data, pos, last);
}


static ngx_int_t
auth(void *data, u_char **pos, u_char *last)
{
    return ngx_egress_socks5_auth(data, pos, last);
}


static ngx_int_t
request(void *data, u_char **pos, u_char *last)
{
    return ngx_egress_socks5_request(data, pos, last);
}


static ngx_int_t
choice(void *data, u_char **pos, u_char *last)
{
    return ngx_egress_socks5_client_choice(data, pos, last);
}


static ngx_int_t
status(void *data, u_char **pos, u_char *last)
{
    return ngx_egress_socks5_client_status(data, pos, last);
}


static ngx_int_t
reply(void *data, u_char **pos, u_char *last)
{
    return ngx_egress_socks5_client_reply(data, pos, last);
}


#endif /* _SOCKS5_READERS_H_INCLUDED_ */
