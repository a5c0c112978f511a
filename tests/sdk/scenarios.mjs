// The stock `centrifuge` SDK in Node against the running stack: `node scenarios.mjs <scenario> <json settings>`.
// Prints one JSON object with what happened; the Python test judges.
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const [scenario, text] = process.argv.slice(2);
const { url, token, other, channel } = JSON.parse(text);

const connected = (options) => new Promise((resolve, reject) => {
  const client = new Centrifuge(url, { websocket: WebSocket, timeout: 15000, ...options });
  client.on('connected', (ctx) => resolve({ client, ctx }));
  client.on('disconnected', (ctx) => reject(new Error(`disconnected ${ctx.code}`)));
  client.connect();
});

const subscribed = (client, name, options = {}) => new Promise((resolve, reject) => {
  const subscription = client.newSubscription(name, options);
  const heard = [];
  subscription.on('publication', (ctx) => heard.push(ctx.data));
  subscription.on('subscribed', (ctx) => resolve({ subscription, heard, ctx }));
  subscription.on('unsubscribed', (ctx) => reject(Object.assign(new Error(ctx.reason), { code: ctx.code })));
  subscription.subscribe();
});

const until = async (done) => {
  for (let i = 0; i < 1000 && !done(); i += 1) await new Promise((next) => setTimeout(next, 15));
  if (!done()) throw new Error('waited in vain');
};

// README's way for browsers that want the token in the handshake: a WebSocket subclass adds the subprotocols.
class WithToken extends WebSocket {
  constructor(address) { super(address, ['centrifuge-json', `bearer.${token}`]); }
}

const scenarios = {
  async basics() {
    const { client } = await connected({ token });
    const { subscription, heard } = await subscribed(client, channel);
    for (const value of [{ n: 1 }, 'two', [3]]) await subscription.publish(value);
    await until(() => heard.length === 3);
    const presence = await subscription.presence();
    const stats = await subscription.presenceStats();
    const history = await subscription.history({ limit: 10 });
    const ping = await client.rpc('ping', {});
    client.disconnect();
    return {
      heard, clients: Object.keys(presence.clients).length, stats, offset: history.offset,
      past: history.publications.map((one) => one.data), ping: ping.data,
    };
  },
  async subprotocol() {
    const { client } = await connected({ websocket: WithToken });
    const { subscription } = await subscribed(client, channel);
    await subscription.publish(1);
    client.disconnect();
    return { ok: true };
  },
  async fresh() {
    let asked = 0;
    const { client } = await connected({ token: '', getToken: async () => { asked += 1; return token; } });
    client.disconnect();
    return { asked };
  },
  async recovery() {
    const publisher = (await connected({ token })).client;
    const theirs = (await subscribed(publisher, channel)).subscription;
    const { client } = await connected({ token: other, minReconnectDelay: 1000 });
    const { heard, subscription } = await subscribed(client, channel);
    await theirs.publish(1);
    await until(() => heard.length === 1);
    let recovered;
    subscription.on('subscribed', (ctx) => { recovered = ctx.recovered; });
    client._transport._transport.close();
    await theirs.publish(2);
    await theirs.publish(3);
    await until(() => heard.length === 3);
    publisher.disconnect();
    client.disconnect();
    return { heard, recovered };
  },
  async strict_mode() {
    const { client } = await connected({ token });
    const subscription = client.newSubscription(channel);
    subscription.subscribe();
    subscription.unsubscribe();
    subscription.subscribe();
    await until(() => subscription.state === 'subscribed');
    const heard = [];
    subscription.on('publication', (ctx) => heard.push(ctx.data));
    await subscription.publish('here');
    await until(() => heard.length === 1);
    client.disconnect();
    return { heard };
  },
};

scenarios[scenario]().then(
  (result) => { console.log(JSON.stringify(result)); process.exit(0); },
  (error) => { console.error(error); process.exit(1); },
);
