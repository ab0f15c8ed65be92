/*
 * Copyright (C) ngx_egress authors
 *
 * egress_network_filter { }: rules on the addresses that are connected to.
 * The longest prefix wins, on a tie "deny"; special-purpose ranges are denied
 * unless a rule of at least their length allows; "always" rules and metadata
 * services are denied whatever else is said.
 */

#ifndef _NGX_EGRESS_FILTER_H_INCLUDED_
#define _NGX_EGRESS_FILTER_H_INCLUDED_


#include "../ngx_egress.h"


typedef struct {
    ngx_cidr_t         cidr;
    ngx_str_t          text;        /* as it is shown in the log */
    unsigned           deny:1;
    unsigned           always:1;
    unsigned           report:1;    /* say so, do not refuse */
} ngx_egress_filter_rule_t;


struct ngx_egress_filter_s {
    ngx_radix_tree_t  *tree4;       /* values: ngx_egress_filter_rule_t * */
    ngx_radix_tree_t  *tree6;
    ngx_radix_tree_t  *always4;     /* asked first */
    ngx_radix_tree_t  *always6;

    ngx_array_t        rules;       /* of the block; configuration time */
    ngx_flag_t         special;     /* deny special-purpose ranges */
    ngx_flag_t         report;      /* the whole filter only reports */
    ngx_uint_t         deny_rest;   /* default deny */
    unsigned           default_set:1;
};


/* Setter of the block: stores an ngx_egress_filter_t * at cmd->offset. */
char *ngx_egress_filter_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* What an empty block gives; NULL: error, logged. */
ngx_egress_filter_t *ngx_egress_filter_default(ngx_conf_t *cf);

/*
 * The rule that denies this address or an IPv4 address embedded in it, or
 * NULL.  sa: AF_INET or AF_INET6, others are never denied.
 */
const ngx_egress_filter_rule_t *ngx_egress_filter_match(
    ngx_egress_filter_t *filter, struct sockaddr *sa);

/* 1 if connecting there would reach a listening socket of this nginx. */
ngx_uint_t ngx_egress_is_self(struct sockaddr *sa);
void ngx_egress_self_init_process(ngx_cycle_t *cycle);

/* Setter of resolve_redirection { }, an ngx_egress_redirection_t *. */
char *ngx_egress_redirection_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_EGRESS_FILTER_H_INCLUDED_ */
