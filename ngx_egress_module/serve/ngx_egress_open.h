/*
 * Copyright (C) ngx_egress authors
 *
 * What the checks against open proxies of http and stream share.
 */

#ifndef _NGX_EGRESS_OPEN_H_INCLUDED_
#define _NGX_EGRESS_OPEN_H_INCLUDED_


#include "../ngx_egress.h"


/* 1: only this machine can connect to that listening address */
ngx_uint_t ngx_egress_open_is_local(struct sockaddr *sa);

/*
 * 1: the configuration of an access module ("allow", "deny") has a "deny".
 * Its structure is private to the module, but the same in http and stream:
 * nothing but pointers to arrays of rules, each ending with its "deny" flag.
 */
ngx_uint_t ngx_egress_open_has_deny(void *access_conf);

/* The module of that type and name, or NULL if nginx was built without. */
ngx_module_t *ngx_egress_open_module(ngx_conf_t *cf, ngx_uint_t type,
    const char *name);


#endif /* _NGX_EGRESS_OPEN_H_INCLUDED_ */
