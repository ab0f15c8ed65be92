
/*
 * Copyright (C) ngx_egress authors
 *
 * The end of a connection to a peer.
 */


#include "ngx_egress_keepalive.h"


void
ngx_egress_close_connection(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

#if (NGX_SSL)

    if (c->ssl) {

        /*
         * close_notify is sent and not waited for; if the socket refuses
         * even that, the second call frees the session without it
         */

        c->ssl->no_wait_shutdown = 1;

        if (ngx_ssl_shutdown(c) == NGX_AGAIN) {
            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }
    }

#endif

    pool = c->pool;

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}
