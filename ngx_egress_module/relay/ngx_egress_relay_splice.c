/*
 * Copyright (C) ngx_egress authors
 *
 * Moves bytes of bulk flows from socket to socket through a pipe, and keeps
 * the pipes.  They are few (each costs descriptors and a share of what the
 * kernel grants a user): a flow owns one only while bytes are inside.
 */

#include "ngx_egress_relay_side.h"


#define NGX_EGRESS_RELAY_SPARE_PIPES  16

#define NGX_EGRESS_RELAY_PIPE_PAGES                                           \
    "/proc/sys/fs/pipe-user-pages-soft"


typedef struct {
    ngx_egress_relay_pipe_t  *free;
    ngx_uint_t                nfree;
    ngx_uint_t                open;      /* free ones included */
    ngx_uint_t                max;
    ngx_msec_t                refused;   /* by the system, when; 0: never */
} ngx_egress_relay_pool_t;


static ngx_egress_relay_pool_t  ngx_egress_relay_pool;


#if (NGX_LINUX)

static ngx_int_t ngx_egress_relay_take(ngx_egress_relay_side_t *dst);
static ngx_egress_relay_pipe_t *ngx_egress_relay_pipe_open(ngx_log_t *log);
static void ngx_egress_relay_pipe_close(ngx_egress_relay_pipe_t *pipe);
static ngx_uint_t ngx_egress_relay_granted(ngx_cycle_t *cycle);
static ngx_uint_t ngx_egress_relay_spare_fds(ngx_cycle_t *cycle);


ssize_t
ngx_egress_relay_splice(ngx_egress_relay_side_t *src, size_t size)
{
    ssize_t                   n;
    ngx_err_t                 err;
    ngx_event_t              *rev;
    ngx_connection_t         *c;
    ngx_egress_relay_pipe_t  *pipe;

    if (ngx_egress_relay_take(src->peer) != NGX_OK) {
        return NGX_DECLINED;
    }

    c = src->connection;
    rev = c->read;
    pipe = src->peer->pipe;

    /* the pipe is empty: EAGAIN can only mean that the socket is */

    do {
        n = splice(c->fd, NULL, pipe->fd[1], NULL, ngx_min(size, pipe->size),
                   SPLICE_F_MOVE|SPLICE_F_NONBLOCK);

        err = (n == -1) ? ngx_errno : 0;

    } while (err == NGX_EINTR);

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "egress relay: splice from fd:%d %z of %uz",
                   c->fd, n, size);

    /* recv() must not rely on what it was told before */

    rev->available = -1;

    if (n > 0) {
        pipe->bytes = n;
        src->received += n;
        src->relay->active = ngx_current_msec;

        (void) ngx_egress_relay_splice_flush(src->peer);

        return n;
    }

    if (n == 0) {
        rev->ready = 0;
        rev->eof = 1;
        return 0;
    }

    if (err == NGX_EAGAIN) {
        rev->ready = 0;
        return NGX_AGAIN;
    }

    if (err == NGX_EINVAL || err == NGX_ENOMEM || err == NGX_ENOSYS) {
        src->relay->splice = 0;
        return NGX_DECLINED;
    }

    rev->ready = 0;
    rev->error = 1;

    (void) ngx_connection_error(c, err, "splice() from socket failed");

    return NGX_ERROR;
}


ngx_int_t
ngx_egress_relay_splice_flush(ngx_egress_relay_side_t *dst)
{
    ssize_t                   n;
    ngx_err_t                 err;
    ngx_connection_t         *c;
    ngx_egress_relay_pipe_t  *pipe;

    c = dst->connection;
    pipe = dst->pipe;

    while (pipe->bytes) {

        if (!c->write->ready) {
            return NGX_AGAIN;
        }

        n = splice(pipe->fd[0], NULL, c->fd, NULL, pipe->bytes,
                   SPLICE_F_MOVE|SPLICE_F_NONBLOCK);

        err = (n == -1) ? ngx_errno : 0;

        ngx_log_debug3(NGX_LOG_DEBUG_EVENT, c->log, 0,
                       "egress relay: splice to fd:%d %z of %uz",
                       c->fd, n, pipe->bytes);

        if (n > 0) {
            pipe->bytes -= n;
            dst->sent += n;
            c->sent += n;
            dst->relay->active = ngx_current_msec;
            continue;
        }

        if (err == NGX_EINTR) {
            continue;
        }

        c->write->ready = 0;

        if (err == NGX_EAGAIN) {
            return NGX_AGAIN;
        }

        c->write->error = 1;

        (void) ngx_connection_error(c, err, "splice() to socket failed");

        ngx_egress_relay_broken(dst);

        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_egress_relay_take(ngx_egress_relay_side_t *dst)
{
    ngx_egress_relay_pipe_t  *pipe;
    ngx_egress_relay_pool_t  *pool;

    if (dst->pipe) {
        return NGX_OK;
    }

    pool = &ngx_egress_relay_pool;
    pipe = pool->free;

    if (pipe) {
        pool->free = pipe->next;
        pool->nfree--;

    } else {
        pipe = ngx_egress_relay_pipe_open(dst->relay->log);

        if (pipe == NULL) {
            return NGX_DECLINED;
        }
    }

    dst->pipe = pipe;

    return NGX_OK;
}


static ngx_egress_relay_pipe_t *
ngx_egress_relay_pipe_open(ngx_log_t *log)
{
    int                       size;
    ngx_egress_relay_pipe_t  *pipe;
    ngx_egress_relay_pool_t  *pool;

    pool = &ngx_egress_relay_pool;

    if (pool->open >= pool->max) {
        return NULL;
    }

    /* the user's pages or our descriptors are used up: not at each read */

    if (pool->refused && ngx_current_msec - pool->refused < 1000) {
        return NULL;
    }

    pipe = ngx_alloc(sizeof(ngx_egress_relay_pipe_t), log);
    if (pipe == NULL) {
        return NULL;
    }

    if (pipe2(pipe->fd, O_NONBLOCK|O_CLOEXEC) == -1) {
        ngx_log_debug0(NGX_LOG_DEBUG_EVENT, log, ngx_errno,
                       "egress relay: pipe2() failed");
        ngx_free(pipe);
        pool->refused = ngx_current_msec;
        return NULL;
    }

    pipe->bytes = 0;
    pool->open++;

    size = fcntl(pipe->fd[1], F_SETPIPE_SZ, NGX_EGRESS_RELAY_BUFFER);

    if (size < NGX_EGRESS_RELAY_BUFFER) {
        ngx_log_debug1(NGX_LOG_DEBUG_EVENT, log, ngx_errno,
                       "egress relay: the system grants a pipe of %d", size);
        ngx_egress_relay_pipe_close(pipe);
        pool->refused = ngx_current_msec;
        return NULL;
    }

    pipe->size = size;

    return pipe;
}


void
ngx_egress_relay_splice_release(ngx_egress_relay_side_t *dst)
{
    ngx_egress_relay_pipe_t  *pipe;
    ngx_egress_relay_pool_t  *pool;

    pool = &ngx_egress_relay_pool;
    pipe = dst->pipe;
    dst->pipe = NULL;

    if (pool->nfree >= NGX_EGRESS_RELAY_SPARE_PIPES || ngx_exiting) {
        ngx_egress_relay_pipe_close(pipe);
        return;
    }

    pipe->next = pool->free;
    pool->free = pipe;
    pool->nfree++;
}


void
ngx_egress_relay_splice_drop(ngx_egress_relay_side_t *dst)
{
    if (dst->pipe == NULL) {
        return;
    }

    if (dst->pipe->bytes == 0) {
        ngx_egress_relay_splice_release(dst);
        return;
    }

    /* another flow must not get these bytes */

    ngx_egress_relay_pipe_close(dst->pipe);
    dst->pipe = NULL;
}


static void
ngx_egress_relay_pipe_close(ngx_egress_relay_pipe_t *pipe)
{
    (void) close(pipe->fd[0]);
    (void) close(pipe->fd[1]);

    ngx_free(pipe);

    ngx_egress_relay_pool.open--;
}


void
ngx_egress_relay_splice_init(ngx_cycle_t *cycle, ngx_uint_t pipes)
{
    ngx_uint_t  granted, fds;

    if (pipes == NGX_CONF_UNSET_UINT) {
        granted = ngx_egress_relay_granted(cycle);
        fds = ngx_egress_relay_spare_fds(cycle);

        pipes = ngx_min(granted, fds / 2);
    }

    ngx_egress_relay_pool.max = pipes;

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, cycle->log, 0,
                   "egress relay: up to %ui pipes", pipes);
}


/* Our share of the pages that the kernel lets all workers have in pipes. */

static ngx_uint_t
ngx_egress_relay_granted(ngx_cycle_t *cycle)
{
    u_char            buf[NGX_INT64_LEN];
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_int_t         pages;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    n = 0;
    fd = ngx_open_file(NGX_EGRESS_RELAY_PIPE_PAGES, NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd != NGX_INVALID_FILE) {
        n = ngx_read_fd(fd, buf, sizeof(buf));
        (void) ngx_close_file(fd);
    }

    if (n > 0 && buf[n - 1] == LF) {
        n--;
    }

    pages = (n > 0) ? ngx_atoi(buf, n) : NGX_ERROR;

    if (pages <= 0) {
        pages = 16384;                 /* unknown or unlimited: the default */
    }

    pages = pages / (NGX_EGRESS_RELAY_BUFFER / (ngx_int_t) ngx_pagesize);

    return pages / ngx_max(ccf->worker_processes, 1);
}


/* Descriptors that connections will never need, a few in any case. */

static ngx_uint_t
ngx_egress_relay_spare_fds(ngx_cycle_t *cycle)
{
    ngx_uint_t     spare;
    struct rlimit  rlmt;

    if (getrlimit(RLIMIT_NOFILE, &rlmt) == -1) {
        return 0;
    }

    spare = (rlmt.rlim_cur > cycle->connection_n)
            ? rlmt.rlim_cur - cycle->connection_n : 0;

    return ngx_max(spare / 2, rlmt.rlim_cur / 16);
}


void
ngx_egress_relay_splice_exit(void)
{
    ngx_egress_relay_pipe_t  *pipe;

    while (ngx_egress_relay_pool.free) {
        pipe = ngx_egress_relay_pool.free;
        ngx_egress_relay_pool.free = pipe->next;

        ngx_egress_relay_pipe_close(pipe);
    }

    ngx_egress_relay_pool.nfree = 0;
}


#else


ssize_t
ngx_egress_relay_splice(ngx_egress_relay_side_t *src, size_t size)
{
    return NGX_DECLINED;
}


ngx_int_t
ngx_egress_relay_splice_flush(ngx_egress_relay_side_t *dst)
{
    return NGX_OK;
}


void
ngx_egress_relay_splice_release(ngx_egress_relay_side_t *dst)
{
    dst->pipe = NULL;
}


void
ngx_egress_relay_splice_drop(ngx_egress_relay_side_t *dst)
{
    dst->pipe = NULL;
}


void
ngx_egress_relay_splice_init(ngx_cycle_t *cycle, ngx_uint_t pipes)
{
    ngx_egress_relay_pool.max = 0;
}


void
ngx_egress_relay_splice_exit(void)
{
    ngx_egress_relay_pool.nfree = 0;
}


#endif
