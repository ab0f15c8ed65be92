
/*
 * Copyright (C) ngx_egress authors
 *
 * User groups as objects: the "user_group NAME basic { }" block with its
 * users, the check of names after the whole file has been read, and the
 * answer to who is who.  Knows no protocol.
 */


#include "../ngx_egress_module.h"
#include "ngx_egress_user_group.h"


/* of a "user NAME { }" block that is being read */

typedef struct {
    ngx_egress_user_t   *user;
    ngx_uint_t           set;        /* has a secret */
} ngx_egress_user_block_t;


static char *ngx_egress_user_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_user_add(ngx_conf_t *cf,
    ngx_egress_user_group_t *group, ngx_egress_user_t *user, ngx_str_t *name);
static char *ngx_egress_user_password(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_user_token(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* inside of a group; conf: ngx_egress_user_group_t */

static ngx_command_t  ngx_egress_user_group_commands[] = {

    { ngx_string("user"),
      NGX_EGRESS_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_egress_user_block,
      0,
      0,
      NULL },

      ngx_null_command
};


/* inside of a user; conf: ngx_egress_user_block_t */

static ngx_command_t  ngx_egress_user_commands[] = {

    { ngx_string("password"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_user_password,
      0,
      0,
      NULL },

    { ngx_string("token"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE23,
      ngx_egress_user_token,
      0,
      0,
      NULL },

      ngx_null_command
};


ngx_egress_user_t *
ngx_egress_user_check(ngx_egress_user_group_t *group, ngx_str_t *name,
    ngx_str_t *password)
{
    uint32_t                  hash;
    ngx_uint_t                match;
    ngx_egress_user_t        *user;
    ngx_egress_user_token_t  *token;

    hash = ngx_crc32_long(name->data, name->len);

    user = (ngx_egress_user_t *)
               ngx_str_rbtree_lookup(&group->tree, name, hash);

    token = user ? &user->token : &group->dummy;

    match = ngx_egress_user_token_match(token, password);

    return match ? user : NULL;
}


ngx_egress_user_group_t *
ngx_egress_user_group_ref(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_egress_conf_t  *ecf;

    ecf = ngx_egress_get_conf(cf->cycle);

    return ngx_egress_object_ref(cf, &ecf->user_groups, name,
                                 sizeof(ngx_egress_user_group_t));
}


char *
ngx_egress_user_group_set(ngx_conf_t *cf, ngx_egress_user_group_t **group)
{
    ngx_str_t  *value;

    if (*group != NGX_CONF_UNSET_PTR) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        *group = NULL;
        return NGX_CONF_OK;
    }

    *group = ngx_egress_user_group_ref(cf, &value[1]);

    return *group ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_egress_user_groups_init(ngx_conf_t *cf, ngx_array_t *groups)
{
    ngx_uint_t                 i;
    ngx_egress_user_group_t  **group;

    group = groups->elts;

    for (i = 0; i < groups->nelts; i++) {

        if (!group[i]->object.declared) {
            return ngx_egress_conf_error(cf, &group[i]->object,
                                         "unknown user group \"%V\"",
                                         &group[i]->object.name);
        }

        if (group[i]->users == 0) {
            return ngx_egress_conf_error(cf, &group[i]->object,
                                         "user group \"%V\" has no \"user\"",
                                         &group[i]->object.name);
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_egress_user_group_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                     *rv;
    ngx_str_t                *value;
    ngx_egress_block_t        block;
    ngx_egress_user_group_t  *group;

    value = cf->args->elts;

    if (ngx_strcmp(value[2].data, "basic") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown user group type \"%V\", use \"basic\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    if (value[1].len == 0 || ngx_strcmp(value[1].data, "off") == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" cannot be the name of a user group",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    group = ngx_egress_user_group_ref(cf, &value[1]);
    if (group == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_egress_object_declare(cf, &group->object);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    ngx_rbtree_init(&group->tree, &group->sentinel,
                    ngx_str_rbtree_insert_value);

    if (ngx_egress_user_token_create(&group->dummy, NULL) != NGX_OK) {
        return "cannot get random bytes from OpenSSL";
    }

    block.commands = ngx_egress_user_group_commands;
    block.conf = group;

    return ngx_egress_conf_block(cf, &block, 1);
}


static char *
ngx_egress_user_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_user_group_t *group = conf;

    char                     *rv;
    ngx_str_t                *value, name;
    ngx_egress_user_t        *user;
    ngx_egress_block_t        block;
    ngx_egress_user_block_t   ub;

    value = cf->args->elts;
    name = value[1];

    user = ngx_pcalloc(cf->pool, sizeof(ngx_egress_user_t));
    if (user == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_egress_user_add(cf, group, user, &name);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    ub.user = user;
    ub.set = 0;

    block.commands = ngx_egress_user_commands;
    block.conf = &ub;

    rv = ngx_egress_conf_block(cf, &block, 1);

    if (rv == NGX_CONF_OK && !ub.set) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "user \"%V\" needs a \"password\" or a \"token\"",
                           &name);
        return NGX_CONF_ERROR;
    }

    return rv;
}


static char *
ngx_egress_user_add(ngx_conf_t *cf, ngx_egress_user_group_t *group,
    ngx_egress_user_t *user, ngx_str_t *name)
{
    size_t    i;
    uint32_t  hash;

    if (name->len == 0 || name->len > NGX_EGRESS_USER_MAX) {
        return "needs a name of 1 to 255 bytes";
    }

    for (i = 0; i < name->len; i++) {
        if (name->data[i] < 0x20 || name->data[i] == 0x7f
            || name->data[i] == ':')
        {
            return "cannot have \":\" or control characters in a name";
        }
    }

    hash = ngx_crc32_long(name->data, name->len);

    if (ngx_str_rbtree_lookup(&group->tree, name, hash) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate user \"%V\" in user group \"%V\"",
                           name, &group->object.name);
        return NGX_CONF_ERROR;
    }

    user->node.str = *name;
    user->node.node.key = hash;

    ngx_rbtree_insert(&group->tree, &user->node.node);

    group->users++;

    return NGX_CONF_OK;
}


static char *
ngx_egress_user_password(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_user_block_t *ub = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ub->set) {
        return "cannot be set: the user has a password or a token already";
    }

    if (value[1].len == 0 || value[1].len > NGX_EGRESS_USER_MAX) {
        return "needs 1 to 255 bytes";
    }

    ub->set = 1;

    if (ngx_egress_user_token_create(&ub->user->token, &value[1]) != NGX_OK) {
        return "cannot be hashed: OpenSSL refuses MD5, SHA-1 or random bytes";
    }

    /* workers keep the hashes alone */

    ngx_explicit_memzero(value[1].data, value[1].len);

    return NGX_CONF_OK;
}


static char *
ngx_egress_user_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_user_block_t *ub = conf;

    if (ub->set) {
        return "cannot be set: the user has a password or a token already";
    }

    ub->set = 1;

    return ngx_egress_user_token_parse(cf, &ub->user->token);
}
