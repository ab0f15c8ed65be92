
/*
 * Copyright (C) ngx_egress authors
 *
 * Task ids: UUID version 7, RFC 9562 section 5.7.
 */


#ifndef _NGX_EGRESS_UUID_H_INCLUDED_
#define _NGX_EGRESS_UUID_H_INCLUDED_


#include "ngx_egress_proto.h"


#define NGX_EGRESS_UUID_LEN         16
#define NGX_EGRESS_UUID_TEXT_LEN    36
#define NGX_EGRESS_UUID_RANDOM_LEN  10


/*
 * Writes 16 bytes to id: msec since the epoch (48 bits), then 10 bytes of
 * randomness of which 74 bits are used.
 */
void ngx_egress_uuid7(u_char *id, uint64_t msec, u_char *random);

/* Writes 36 bytes of text, lower case; returns the end. */
u_char *ngx_egress_uuid_print(u_char *buf, u_char *id);


#endif /* _NGX_EGRESS_UUID_H_INCLUDED_ */
