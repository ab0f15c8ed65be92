/*
 * Copyright (C) ngx_egress authors
 *
 * egress_sni_hosts { }: which names an SNI proxy serves, and where it takes
 * them instead.
 */

#ifndef _NGX_STREAM_EGRESS_SNI_HOSTS_H_INCLUDED_
#define _NGX_STREAM_EGRESS_SNI_HOSTS_H_INCLUDED_


#include "ngx_stream_egress.h"


typedef struct {
    ngx_array_t    rules;      /* of ngx_stream_egress_sni_host_t */
} ngx_stream_egress_sni_hosts_t;


/* Setter of the block: an ngx_stream_egress_sni_hosts_t * at cmd->offset. */
char *ngx_stream_egress_sni_hosts_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* 0: served, *target may have been changed; or a reason, logged. */
ngx_uint_t ngx_stream_egress_sni_hosts_apply(
    ngx_stream_egress_sni_hosts_t *hosts, ngx_egress_addr_t *target,
    ngx_log_t *log);


#endif /* _NGX_STREAM_EGRESS_SNI_HOSTS_H_INCLUDED_ */
