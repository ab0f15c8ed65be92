
/*
 * Copyright (C) ngx_egress authors
 *
 * Jump consistent hash (Lamping and Veach, 2014) and the hash of keys that
 * feeds it.  Pure functions; the results are the same on every machine and
 * must never change, since they decide which way a sticky client leaves.
 */

#ifndef _NGX_EGRESS_JUMP_H_INCLUDED_
#define _NGX_EGRESS_JUMP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* 64 bits, FNV-1a with the finalizer of MurmurHash3. */
uint64_t ngx_egress_hash64(u_char *data, size_t len);

/*
 * 0 .. n - 1; n must not be 0.  When n grows to n + 1, one key of n + 1 moves
 * to the new bucket, and none between the old ones.
 */
ngx_uint_t ngx_egress_jump(uint64_t key, ngx_uint_t n);


#endif /* _NGX_EGRESS_JUMP_H_INCLUDED_ */
