
/*
 * Copyright (C) ngx_egress authors
 *
 * Looks at listening addresses and at the rules of nginx's access modules.
 * Which servers are proxies is for http and stream to know.
 */


#include "ngx_egress_open.h"


ngx_uint_t
ngx_egress_open_is_local(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
#endif

#if (NGX_HAVE_UNIX_DOMAIN)
    case AF_UNIX:
        return 1;
#endif

    default: /* AF_INET */
        sin = (struct sockaddr_in *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;
    }
}


ngx_uint_t
ngx_egress_open_has_deny(void *access_conf)
{
    u_char        *rule;
    ngx_uint_t     i, n, families;
    ngx_array_t  **rules;

    if (access_conf == NULL) {
        return 0;
    }

    rules = access_conf;

    families = 1;
#if (NGX_HAVE_INET6)
    families++;
#endif
#if (NGX_HAVE_UNIX_DOMAIN)
    families++;
#endif

    for (i = 0; i < families; i++) {

        if (rules[i] == NULL) {
            continue;
        }

        rule = rules[i]->elts;

        for (n = 0; n < rules[i]->nelts; n++) {
            rule += rules[i]->size;

            if (*(ngx_uint_t *) (rule - sizeof(ngx_uint_t))) {
                return 1;
            }
        }
    }

    return 0;
}


ngx_module_t *
ngx_egress_open_module(ngx_conf_t *cf, ngx_uint_t type, const char *name)
{
    ngx_uint_t     i;
    ngx_module_t  *m;

    for (i = 0; cf->cycle->modules[i]; i++) {
        m = cf->cycle->modules[i];

        if (m->type == type && ngx_strcmp(m->name, name) == 0) {
            return m;
        }
    }

    return NULL;
}
