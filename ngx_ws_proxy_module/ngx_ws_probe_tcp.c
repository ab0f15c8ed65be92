
/*
 * Copyright (C) ngx_egress authors
 *
 * type=tcp: a server that accepts the connection, and completes the TLS
 * handshake if there is one, is well.
 */


#include <ngx_ws_health.h>


void
ngx_ws_probe_tcp_open(ngx_ws_probe_t *probe)
{
    ngx_ws_probe_verdict(probe, NULL);
    ngx_ws_probe_close(probe);
}


void
ngx_ws_probe_tcp_read(ngx_ws_probe_t *probe, ngx_uint_t eof)
{
    /* never called: the probe ends when it is open */
}
