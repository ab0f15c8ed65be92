/*
 * Copyright (C) ngx_egress authors
 *
 * What PROXY headers say about a client.
 */

#ifndef _NGX_EGRESS_HEADER_H_INCLUDED_
#define _NGX_EGRESS_HEADER_H_INCLUDED_


#include "../ngx_egress.h"
#include "../proto/ngx_egress_pp2.h"


/*
 * Fills the zeroed pp with the addresses of the client and of the socket it
 * came to, as they are after realip; when their families differ both become
 * IPv6.  LOCAL without a client (c is NULL: a connection of our own, as a
 * health check is) and for one that came over a unix socket.
 */
void ngx_egress_header_addresses(ngx_connection_t *c, ngx_egress_pp2_t *pp);


#endif /* _NGX_EGRESS_HEADER_H_INCLUDED_ */
