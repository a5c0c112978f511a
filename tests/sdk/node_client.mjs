// The stock `centrifuge` SDK in Node with its events written down, for the scenarios of in_node.mjs.
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

export const scenario = process.argv[2];
export const world = JSON.parse(process.argv[3]);
export const PATIENCE_MS = 20000;

export const pause = (ms) => new Promise((next) => { setTimeout(next, ms); });

export const until = async (done, withinMs = PATIENCE_MS) => {
  const end = Date.now() + withinMs;
  while (!done() && Date.now() < end) await pause(10);
  if (!done()) throw new Error(`waited in vain for ${done}`);
};

// README's way for browsers that want the token in the handshake: a WebSocket subclass adds the subprotocols.
export const withToken = (token) => class extends WebSocket {
  constructor(address) { super(address, ['centrifuge-json', `bearer.${token}`]); }
};

export const start = (options = {}) => {
  const client = new Centrifuge(world.url, {
    websocket: WebSocket, timeout: PATIENCE_MS, minReconnectDelay: 100, token: world.amir, ...options,
  });
  const seen = { connecting: [], connected: [], disconnected: [], errors: [], subscribed: [], publications: [] };
  client.on('connecting', (ctx) => seen.connecting.push(ctx.code));
  client.on('connected', (ctx) => seen.connected.push(ctx.client));
  client.on('disconnected', (ctx) => seen.disconnected.push(ctx.code));
  client.on('error', (ctx) => seen.errors.push(ctx.error.code));
  client.on('subscribed', (ctx) => seen.subscribed.push(ctx));
  client.on('publication', (ctx) => seen.publications.push(ctx.data));
  client.connect();
  return { client, seen };
};

export const connect = async (options) => {
  const { client, seen } = start(options);
  await client.ready(PATIENCE_MS);
  return { client, seen };
};

export const listen = (client, channel = world.channel, options = {}) => {
  const subscription = client.newSubscription(channel, options);
  const heard = { data: [], offsets: [], joined: [], left: [], subscribed: [], unsubscribed: [] };
  subscription.on('publication', (ctx) => { heard.data.push(ctx.data); heard.offsets.push(ctx.offset); });
  subscription.on('join', (ctx) => heard.joined.push(ctx.info.client));
  subscription.on('leave', (ctx) => heard.left.push(ctx.info.client));
  subscription.on('subscribed', (ctx) => heard.subscribed.push(ctx));
  subscription.on('unsubscribed', (ctx) => heard.unsubscribed.push(ctx.code));
  subscription.subscribe();
  return { subscription, heard };
};

export const subscribe = async (client, channel, options) => {
  const { subscription, heard } = listen(client, channel, options);
  await until(() => heard.subscribed.length === 1);
  return { subscription, heard };
};

export const again = (heard, member) => heard.subscribed.slice(1).map((ctx) => ctx[member]);

export const http = async (path, token, options = {}) => {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...options.headers };
  return (await fetch(world.http + path, { ...options, headers })).json();
};

export const api = async (method, body) => {
  const answer = await http(`/api/${method}`, world.alice, { method: 'POST', body: JSON.stringify(body) });
  return answer.result ?? answer;
};

export const publishTo = (channel, ...values) => (
  api('batch', { commands: values.map((data) => ({ publish: { channel, data } })) })
);
export const publish = (...values) => publishTo(world.channel, ...values);

export const codeOf = (command) => command.then(() => 0, (error) => error.code);

// The network breaks: no close frame, no word.
export const cutOff = (client) => client._transport._transport.terminate();

export const present = async (client) => (
  client in (await api('presence', { channel: world.channel })).presence
);
