/*
 * Copyright (C) ngx_egress authors
 *
 * What the files of relay/ share, nobody else includes it.  The pump in
 * ngx_egress_relay.c decides, copy and splice move bytes, end deals with sides
 * that have ended.
 *
 * "src" is the side that is read, "dst" its peer.  Both movers have the same
 * two verbs: one moves what one read gives, the other sends what dst's socket
 * refused earlier.
 */

#ifndef _NGX_EGRESS_RELAY_SIDE_H_INCLUDED_
#define _NGX_EGRESS_RELAY_SIDE_H_INCLUDED_


#include "ngx_egress_relay.h"


#define NGX_EGRESS_RELAY_BUFFER   (256 * 1024)  /* default; and of a pipe */
#define NGX_EGRESS_RELAY_BULK     (64 * 1024)   /* a read this large is one */

/*
 * What one direction may move before others have their turn: below a
 * millisecond of work.  Splicing what a socket has to the end costs half of
 * what it does in smaller portions.
 */

#define NGX_EGRESS_RELAY_COPY_TURN     (1024 * 1024)
#define NGX_EGRESS_RELAY_SPLICE_TURN   (4 * 1024 * 1024)


/* Bytes that a socket refused; they follow the structure. */
struct ngx_egress_relay_refused_s {
    u_char                   *pos;
    u_char                   *last;
};


struct ngx_egress_relay_pipe_s {
    ngx_egress_relay_pipe_t  *next;      /* in the pool */
    int                       fd[2];
    size_t                    size;
    size_t                    bytes;     /* inside */
};


/*
 * One read of at most "size" bytes from src, sent to dst as far as its socket
 * takes them; the rest is kept.  Returns the number read; 0: end of file;
 * NGX_AGAIN: nothing now; NGX_ERROR: src failed; NGX_DECLINED (splice only):
 * no pipe, copy instead.  A failure of dst is recorded by ..._broken().
 */
ssize_t ngx_egress_relay_copy(ngx_egress_relay_side_t *src, size_t size);
ssize_t ngx_egress_relay_splice(ngx_egress_relay_side_t *src, size_t size);

/*
 * Sends what is kept for dst.  NGX_OK: nothing left; NGX_AGAIN: wait for its
 * write event; NGX_ERROR: dst failed, recorded.
 */
ngx_int_t ngx_egress_relay_copy_flush(ngx_egress_relay_side_t *dst);
ngx_int_t ngx_egress_relay_splice_flush(ngx_egress_relay_side_t *dst);

/*
 * Sends n bytes to dst, keeps what is refused.  NGX_ERROR: out of memory;
 * a failure of dst is recorded.
 */
ngx_int_t ngx_egress_relay_send(ngx_egress_relay_side_t *dst, u_char *p,
    size_t n);

/* Drops whatever is kept for dst. */
void ngx_egress_relay_drop(ngx_egress_relay_side_t *dst);

/* The same, each for its own. */
void ngx_egress_relay_copy_drop(ngx_egress_relay_side_t *dst);
void ngx_egress_relay_splice_drop(ngx_egress_relay_side_t *dst);

/* Gives an empty pipe of dst back. */
void ngx_egress_relay_splice_release(ngx_egress_relay_side_t *dst);

/* A read of src said that there is no more. */
void ngx_egress_relay_eof(ngx_egress_relay_side_t *src);

/* All of src's bytes are sent: tells the peer that src has ended. */
void ngx_egress_relay_shut(ngx_egress_relay_side_t *src);

/* Looks for a reset of a side that is not being read. */
void ngx_egress_relay_test_error(ngx_egress_relay_side_t *side);

/* A read of src failed, or dst's socket does not take bytes any more. */
void ngx_egress_relay_failed(ngx_egress_relay_side_t *src);
void ngx_egress_relay_broken(ngx_egress_relay_side_t *dst);

ngx_int_t ngx_egress_relay_copy_init(ngx_cycle_t *cycle, size_t size);
void ngx_egress_relay_copy_exit(void);
void ngx_egress_relay_splice_init(ngx_cycle_t *cycle, ngx_uint_t pipes);
void ngx_egress_relay_splice_exit(void);


extern size_t  ngx_egress_relay_buffer_size;


#endif /* _NGX_EGRESS_RELAY_SIDE_H_INCLUDED_ */
