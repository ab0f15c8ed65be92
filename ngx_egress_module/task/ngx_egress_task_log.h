/*
 * Copyright (C) ngx_egress authors
 *
 * egress_task_log: lines about tasks that have not ended yet.  Long tunnels
 * must be visible before the access log sees them.  When a line is due and
 * where it goes is the same for every server; its text is the server's.
 */

#ifndef _NGX_EGRESS_TASK_LOG_H_INCLUDED_
#define _NGX_EGRESS_TASK_LOG_H_INCLUDED_


#include "../ngx_egress.h"


typedef enum {
    ngx_egress_task_log_created = 0,       /* the target is known */
    ngx_egress_task_log_connected,
    ngx_egress_task_log_periodic
} ngx_egress_task_log_e;


typedef struct {
    ngx_open_file_t             *file;     /* NULL, and no syslog: to the */
    ngx_syslog_peer_t           *syslog;   /* error log, at level info */
    ngx_msec_t                   interval; /* 0: no lines in intervals */
    ngx_uint_t                   events;   /* bits of ..._log_e */
} ngx_egress_task_log_conf_t;


/* A line is due: evaluates it and calls ngx_egress_task_log_line(). */
typedef void (*ngx_egress_task_log_pt)(ngx_egress_task_t *task, void *data);

struct ngx_egress_task_log_s {
    ngx_egress_task_t           *task;
    ngx_egress_task_log_conf_t  *conf;
    ngx_egress_task_log_pt       write;

    /* event ident must be after 3 pointers as in ngx_connection_t */
    ngx_int_t                    ident;

    void                        *data;     /* of write() */
    ngx_event_t                  timer;
    ngx_egress_task_log_e        event;    /* of the last line */
};


/*
 * Has a line written if the configuration asks for one of that event; without
 * memory there is none.  Lines in intervals follow until the task is closed.
 */
void ngx_egress_task_log(ngx_egress_task_t *task,
    ngx_egress_task_log_conf_t *conf, ngx_egress_task_log_e event,
    ngx_egress_task_log_pt write, void *data);

/* Of task/ only: no line will follow. */
void ngx_egress_task_log_stop(ngx_egress_task_t *task);

/* Writes the line; what a client may have put into it stays one line. */
void ngx_egress_task_log_line(ngx_egress_task_t *task, ngx_str_t *text);

/* $egress_task_event: of the last line, NULL if there was none. */
ngx_str_t *ngx_egress_task_log_event(ngx_egress_task_t *task);


/* Configuration time: the arguments of egress_task_log. */
char *ngx_egress_task_log_set(ngx_conf_t *cf,
    ngx_egress_task_log_conf_t *conf);

/* Of egress_task_log_format: several are one text, as in log_format. */
ngx_int_t ngx_egress_task_log_format(ngx_conf_t *cf, ngx_str_t *text);

/* The rest of the structure is zeroed. */
#define ngx_egress_task_log_conf_init(conf)                                   \
    (conf)->events = NGX_CONF_UNSET_UINT

void ngx_egress_task_log_conf_merge(ngx_egress_task_log_conf_t *conf,
    ngx_egress_task_log_conf_t *prev);


/* The default format, without the time that a server calls its own. */
#define NGX_EGRESS_TASK_LOG_FORMAT                                            \
    "$time_iso8601 $egress_task_event $egress_task_id $remote_addr "          \
    "$egress_user $egress_escaper $egress_host:$egress_port $egress_addr "    \
    "sent=$egress_bytes_sent received=$egress_bytes_received "


#endif /* _NGX_EGRESS_TASK_LOG_H_INCLUDED_ */
