/*
 * Copyright (C) ngx_egress authors
 *
 * User groups: who may use a proxy, and how that is proved.  A server names a
 * group by ngx_egress_user_group_ref() and asks ngx_egress_user_check() for
 * every request or session anew; nothing is remembered between two calls.
 */

#ifndef _NGX_EGRESS_USER_GROUP_H_INCLUDED_
#define _NGX_EGRESS_USER_GROUP_H_INCLUDED_


#include "../ngx_egress.h"


#define NGX_EGRESS_USER_MAX        255   /* of a name, a password: RFC 1929 */
#define NGX_EGRESS_USER_SALT       32    /* bytes of a salt, at most */
#define NGX_EGRESS_USER_MD5        16
#define NGX_EGRESS_USER_SHA1       20

/* How long a server keeps who sent wrong credentials waiting, ms. */
#define NGX_EGRESS_USER_DELAY      1000


/*
 * What is known of a secret: hashes of the password followed by the salt.  At
 * least one of the two is there, and all that are have to match.
 */
typedef struct {
    ngx_uint_t           salt_len;
    u_char               salt[NGX_EGRESS_USER_SALT];
    u_char               md5[NGX_EGRESS_USER_MD5];
    u_char               sha1[NGX_EGRESS_USER_SHA1];
    unsigned             has_md5:1;
    unsigned             has_sha1:1;
} ngx_egress_user_token_t;


typedef struct {
    ngx_str_node_t            node;      /* in group->tree; node.str: name */
    ngx_egress_user_token_t   token;
} ngx_egress_user_t;


typedef struct {
    ngx_egress_object_t       object;    /* name, where declared */
    ngx_rbtree_t              tree;      /* of ngx_egress_user_t */
    ngx_rbtree_node_t         sentinel;
    ngx_egress_user_token_t   dummy;     /* checked for unknown names */
    ngx_uint_t                users;     /* how many there are */
} ngx_egress_user_group_t;


/*
 * Finds or makes the group of that name; it is filled when its block is read.
 * NULL: out of memory.
 */
ngx_egress_user_group_t *ngx_egress_user_group_ref(ngx_conf_t *cf,
    ngx_str_t *name);

/*
 * The argument of "egress_user_group NAME | off", for *group that is still
 * NGX_CONF_UNSET_PTR; off is NULL.
 */
char *ngx_egress_user_group_set(ngx_conf_t *cf,
    ngx_egress_user_group_t **group);

/*
 * The user of that name if the password is right, else NULL; which of both
 * was wrong cannot be told, not by the time it takes either.  Names are
 * case-sensitive.  Does not block and does not log.  The user lives as long
 * as the configuration.
 */
ngx_egress_user_t *ngx_egress_user_check(ngx_egress_user_group_t *group,
    ngx_str_t *name, ngx_str_t *password);


/* The "user_group NAME basic { }" directive. */
char *ngx_egress_user_group_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* After the whole file has been read: undeclared names. */
char *ngx_egress_user_groups_init(ngx_conf_t *cf, ngx_array_t *groups);

/* ngx_egress_user_token.c: "salt=", "md5=" and "sha1=", in hex */
char *ngx_egress_user_token_parse(ngx_conf_t *cf,
    ngx_egress_user_token_t *token);

/* The token of a password; NULL: a random one that nothing matches. */
ngx_int_t ngx_egress_user_token_create(ngx_egress_user_token_t *token,
    ngx_str_t *password);

/* 1: the password has these hashes; takes the same time for all tokens. */
ngx_uint_t ngx_egress_user_token_match(ngx_egress_user_token_t *token,
    ngx_str_t *password);


#endif /* _NGX_EGRESS_USER_GROUP_H_INCLUDED_ */
