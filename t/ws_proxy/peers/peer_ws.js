#!/usr/bin/env node

// Copyright (C) ngx_egress authors
//
// The "ws" package as an echo server or as a client that echoes.
//
//     peer_ws.js serve PORT [deflate]
//     peer_ws.js echo URL COUNT [deflate]

'use strict';

const WebSocket = require('ws');

const [mode, where, count] = process.argv.slice(2);

const options = {
    maxPayload: 1 << 30,
    perMessageDeflate: process.argv.includes('deflate')
                       ? { threshold: 0 } : false,
};

function echo(ws) {
    ws.on('message', (data, binary) => ws.send(data, { binary }));
    ws.on('error', () => {});
}

function client(left) {
    if (left === 0) {
        return;
    }

    const ws = new WebSocket(where, options);

    echo(ws);
    ws.on('close', () => client(left - 1));
}

if (mode === 'serve') {
    const server = new WebSocket.Server({ host: '127.0.0.1',
                                          port: Number(where), ...options });
    server.on('connection', echo);

} else {
    client(Number(count));
}
