
/*
 * Copyright (C) ngx_egress authors
 *
 * May this address be connected to?  Asked by the connector for the very
 * sockaddr that goes to connect(2), so that no name can change its meaning
 * between the question and the connection.
 */


#include "ngx_egress_filter.h"
#include "../ngx_egress_module.h"


/* of $egress_would_deny: a task of many datagrams may have many targets */

#define NGX_EGRESS_WOULD_DENY_LEN  1024


static void ngx_egress_policy_report(ngx_egress_task_t *task,
    const ngx_egress_filter_rule_t *rule, ngx_str_t *addr);


ngx_command_t  ngx_egress_target_commands[] = {

    { ngx_string("egress_network_filter"),
      NGX_EGRESS_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_egress_filter_block,
      0,
      offsetof(ngx_egress_connect_conf_t, filter),
      NULL },

    { ngx_string("resolve_redirection"),
      NGX_EGRESS_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_egress_redirection_block,
      0,
      offsetof(ngx_egress_connect_conf_t, redirection),
      NULL },

      ngx_null_command
};


ngx_int_t
ngx_egress_judge(ngx_egress_hop_t *hop, struct sockaddr *sa,
    socklen_t socklen, ngx_egress_reason_e *reason)
{
    u_char                           text[NGX_SOCKADDR_STRLEN];
    ngx_str_t                        addr;
    ngx_egress_task_t               *task;
    ngx_egress_filter_t             *filter;
    const ngx_egress_filter_rule_t  *rule;

    task = hop->task;

    addr.data = text;

    if (ngx_egress_is_self(sa)) {
        addr.len = ngx_sock_ntop(sa, socklen, text, NGX_SOCKADDR_STRLEN, 1);

        ngx_log_error(NGX_LOG_INFO, task->log, 0,
                      "\"%V\" for \"%V\" is a listening socket of this nginx",
                      &addr, &hop->addr.host);

        *reason = NGX_EGRESS_SELF_CONNECT;
        return NGX_DECLINED;
    }

    if (hop->no_filter) {
        return NGX_OK;
    }

    filter = hop->conf->filter;

    if (filter == NULL) {
        filter = ngx_egress_get_conf(ngx_cycle)->filter;
    }

    rule = ngx_egress_filter_match(filter, sa);

    if (rule == NULL) {
        return NGX_OK;
    }

    addr.len = ngx_sock_ntop(sa, socklen, text, NGX_SOCKADDR_STRLEN, 0);

    if (rule->report || filter->report) {
        ngx_egress_policy_report(task, rule, &addr);
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, task->log, 0,
                  "address %V of \"%V\" is denied by rule \"%V\"",
                  &addr, &hop->addr.host, &rule->text);

    *reason = NGX_EGRESS_DESTINATION_DENIED;

    return NGX_DECLINED;
}


static void
ngx_egress_policy_report(ngx_egress_task_t *task,
    const ngx_egress_filter_rule_t *rule, ngx_str_t *addr)
{
    u_char  *p;
    size_t   len;

    ngx_log_error(NGX_LOG_INFO, task->log, 0,
                  "address %V would be denied by rule \"%V\"",
                  addr, &rule->text);

    len = task->would_deny.len + sizeof(", =") - 1 + addr->len
          + rule->text.len;

    if (len > NGX_EGRESS_WOULD_DENY_LEN) {
        return;
    }

    p = ngx_pnalloc(task->pool, len);
    if (p == NULL) {
        return;
    }

    len = ngx_sprintf(p, "%V%s%V=%V", &task->would_deny,
                      task->would_deny.len ? ", " : "", addr, &rule->text)
          - p;

    task->would_deny.len = len;
    task->would_deny.data = p;
}
