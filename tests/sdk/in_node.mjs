// The scenarios of scenarios.py with the stock `centrifuge` SDK in Node: `node in_node.mjs <scenario> <world as JSON>`.
// Prints what the scenario returns as one JSON text; test_scenarios.py judges.
import {
  PATIENCE_MS, again, api, codeOf, connect, cutOff, http, listen, pause, present, publish, publishTo,
  scenario, start, subscribe, until, withToken, world,
} from './node_client.mjs';

const expiresAt = async (client) => {
  const { items } = await http('/connections?limit=200', world.alice);
  return items.find((item) => item.client === client).expires_at;
};

const personal = async (options) => {
  const { seen } = await connect(options);
  await until(() => seen.subscribed.length);
  return { personal: seen.subscribed.length === 1 && seen.subscribed[0].channel === world.personal };
};

const asked = async (options) => {
  let count = 0;
  const { client, seen } = await connect({ getToken: async () => { count += 1; return world.amir; }, ...options });
  await client.rpc('ping', {});
  return { asked: count, connected: seen.connected.length, disconnected: seen.disconnected };
};

const ended = async (options) => {
  const { seen } = start(options);
  await until(() => seen.disconnected.length);
  return { disconnected: seen.disconnected };
};

const absent = async (before, meanwhile) => {
  const { client } = await connect();
  const { heard } = await subscribe(client);
  await publish(...before);
  await until(() => heard.data.length >= before.length);
  client.disconnect();
  await meanwhile();
  client.connect();
  await until(() => heard.subscribed.length === 2);
  return heard;
};

const afterLoss = async (meanwhile) => {
  const heard = await absent(['before'], meanwhile);
  await publish('after');
  await until(() => heard.data.includes('after'));
  return {
    heard: heard.data, recovered: again(heard, 'recovered'), was_recovering: again(heard, 'wasRecovering'),
  };
};

const disconnectByBackend = (seen, code) => api('disconnect', {
  user: world.amir_id, client: seen.connected.at(-1), disconnect: { code, reason: 'because' },
});

const comesBack = async (code) => {
  const { client, seen } = await connect();
  const { heard } = await subscribe(client);
  await publish(1);
  await until(() => heard.data.length === 1);
  await disconnectByBackend(seen, code);
  await publish(2);
  await until(() => heard.data.length === 2);
  return {
    codes: seen.connecting.slice(1), connected: seen.connected.length, disconnected: seen.disconnected,
    heard: heard.data, recovered: again(heard, 'recovered'),
  };
};

const range = (length) => Array.from({ length }, (_, i) => i);

const scenarios = {
  subprotocol_token: () => personal({ token: '', websocket: withToken(world.amir) }),
  first_frame_token: () => personal({}),
  no_token: () => asked({ token: '' }),
  expired_handshake: () => asked({ token: '', websocket: withToken(world.expired) }),
  expired_first_frame: () => asked({ token: world.expired }),
  expired_for_good: () => ended({ token: world.expired }),
  wrong_token: () => ended({ token: `${world.amir.slice(0, -8)}AAAAAAAA` }),

  async refresh() {
    let count = 0;
    const { client, seen } = await connect({
      token: world.short, getToken: async () => { count += 1; return world.amir; },
    });
    const { heard } = await subscribe(client);
    const first = await expiresAt(seen.connected[0]);
    await until(() => count > 0);
    let last = first;
    while (last === first) { await pause(50); last = await expiresAt(seen.connected[0]); }
    await publish('after');
    await until(() => heard.data.length);
    return {
      asked: count, connected: seen.connected.length, disconnected: seen.disconnected,
      extended: last > first, same: seen.connected.length === 1, heard: heard.data,
    };
  },

  async subscription_token() {
    const tokens = [...world.subscription_tokens];
    const getToken = async () => tokens.shift();
    const { client } = await connect();
    const { subscription, heard } = await subscribe(client, world.channel, { getToken, minResubscribeDelay: 50 });
    await until(() => tokens.length === 0);
    await subscription.publish('here');
    await until(() => heard.data.length);
    const asked = world.subscription_tokens.length - tokens.length;
    return { asked, subscribed: heard.subscribed.length, codes: heard.unsubscribed, heard: heard.data };
  },

  async refresh_without_read() {
    const { client, seen } = await connect({ token: world.short, getToken: async () => world.writer });
    const { heard } = await subscribe(client);
    await until(() => heard.unsubscribed.length);
    await client.rpc('ping', {});
    return { codes: heard.unsubscribed, connected: seen.connected.length, disconnected: seen.disconnected };
  },

  async publications() {
    const mine = await subscribe((await connect()).client);
    const theirs = await subscribe((await connect({ token: world.alice })).client);
    await mine.subscription.publish({ n: 1 });
    await theirs.subscription.publish('two');
    await mine.subscription.publish([3]);
    await publish(null);
    await until(() => mine.heard.data.length >= 4);
    return { heard: mine.heard.data };
  },

  async burst() {
    const { subscription, heard } = await subscribe((await connect()).client);
    await Promise.all(range(30).map((value) => subscription.publish(value)));
    await until(() => heard.data.length >= 30);
    return { offsets: heard.offsets, values: [...heard.data].sort((a, b) => a - b) };
  },

  async presence() {
    const { subscription } = await subscribe((await connect()).client);
    await subscribe((await connect()).client);
    await subscribe((await connect({ token: world.alice })).client);
    const members = Object.values((await subscription.presence()).clients);
    const stats = await subscription.presenceStats();
    return {
      users: new Set(members.map((member) => member.user)).size,
      clients: new Set(members.map((member) => member.client)).size,
      stats: [stats.numClients, stats.numUsers],
    };
  },

  async history() {
    const { subscription } = await subscribe((await connect()).client);
    await publish(1, 2, 3, 4, 5);
    const position = await subscription.history();
    const since = (offset) => ({ offset, epoch: position.epoch });
    const values = async (options) => (await subscription.history(options)).publications.map((one) => one.data);
    return {
      position: [position.offset, position.publications.length],
      limited: await values({ limit: 2 }),
      all: await values({ limit: -1 }),
      since: await values({ limit: 2, since: since(2) }),
      reverse: await values({ limit: 2, reverse: true }),
      reverse_since: await values({ limit: -1, reverse: true, since: since(4) }),
    };
  },

  async refusals() {
    const { client } = await connect();
    const codes = [await codeOf(client.publish(world.channel, 1))];
    for (const name of ['x'.repeat(81), 'user:somebody', 'session:nope']) {
      const { heard } = listen(client, name);
      await until(() => heard.unsubscribed.length);
      codes.push(...heard.unsubscribed);
    }
    await subscribe(client);
    codes.push(await codeOf(client.publish(world.channel, 'x'.repeat(29000))));
    codes.push(await codeOf(client.rpc('no', {})));
    return { codes };
  },

  async rpc() {
    const { client } = await connect();
    return { ping: (await client.rpc('ping', {})).data, unknown: await codeOf(client.rpc('nope', {})) };
  },

  async recovery_in_traffic() {
    const { client } = await connect();
    const theirs = await subscribe((await connect({ token: world.alice })).client);
    const { heard } = await subscribe(client);
    for (const value of range(40)) {
      await theirs.subscription.publish(value);
      if (value === 10) cutOff(client);
    }
    await until(() => heard.data.length >= 40);
    return { heard: heard.data, offsets: heard.offsets, recovered: again(heard, 'recovered') };
  },

  async recovery_after_absence() {
    const heard = await absent([1], () => publish(2, 3));
    await publish(4);
    await until(() => heard.data.length >= 4);
    return { heard: heard.data, recovered: again(heard, 'recovered'), left_out: heard.unsubscribed };
  },

  unrecoverable: () => afterLoss(() => publish(...range(101))),
  removed_history: () => afterLoss(async () => {
    await publish('lost');
    await api('history_remove', { channel: world.channel });
  }),

  async nothing_missed() {
    const heard = await absent([1], async () => {});
    await publish(2);
    await until(() => heard.data.length >= 2);
    return { heard: heard.data, recovered: again(heard, 'recovered') };
  },

  async join_leave() {
    const { heard } = await subscribe((await connect()).client, world.channel, { joinLeave: true });
    const guest = await connect({ token: world.alice });
    const [id] = guest.seen.connected;
    await subscribe(guest.client);
    await until(() => heard.joined.includes(id));
    guest.client.disconnect();
    await until(() => heard.left.length);
    const count = [heard.joined, heard.left].map((ids) => ids.filter((one) => one === id).length);
    return { joined: count[0] > 0, left: count[1] > 0, count };
  },

  async personal_channel() {
    const { client, seen } = await connect();
    await until(() => seen.subscribed.length);
    await publishTo(world.personal, 'live');
    await until(() => seen.publications.length >= 1);
    client.disconnect();
    await publishTo(world.personal, 'missed 1', 'missed 2');
    client.connect();
    await until(() => seen.publications.length >= 3);
    await publishTo(world.personal, 'live again');
    await until(() => seen.publications.length >= 4);
    return { heard: seen.publications, recovered: seen.subscribed.map((ctx) => ctx.recovered) };
  },

  async many_channels() {
    const { client } = await connect();
    const channels = range(25).map((i) => `${world.channel}-${i}`);
    const everything = channels.map((channel) => listen(client, channel).heard);
    await until(() => everything.every((heard) => heard.subscribed.length === 1));
    cutOff(client);
    await until(() => everything.every((heard) => heard.subscribed.length === 2));
    await api('broadcast', { channels, data: 1 });
    await until(() => everything.every((heard) => heard.data.length));
    return {
      subscribed: Object.keys(client.subscriptions()).length,
      heard: everything.reduce((sum, heard) => sum + heard.data.length, 0),
    };
  },

  // Says and hears nothing until the backend publishes.
  async idle() {
    const { client, seen } = await connect();
    const { heard } = await subscribe(client);
    await until(() => heard.data.length, 80000);
    return {
      connecting: seen.connecting.length, connected: seen.connected.length, disconnected: seen.disconnected,
      errors: seen.errors, subscribed: heard.subscribed.length, heard: heard.data,
    };
  },

  // Whatever happens to the connection.
  async listen_to_the_end() {
    const { client, seen } = await connect();
    const { heard } = await subscribe(client);
    await until(() => heard.data.includes('end'), 60000);
    return { heard: heard.data, offsets: heard.offsets, disconnected: seen.disconnected };
  },

  // Asked to come back before the two hours are over, while others publish.
  async planned_reconnect() {
    const { client, seen } = await connect();
    const { heard } = await subscribe(client);
    await until(() => heard.data.length >= 3, 40000);
    return {
      codes: seen.connecting.slice(1), connected: seen.connected.length, disconnected: seen.disconnected,
      heard: heard.data, recovered: again(heard, 'recovered'),
    };
  },

  async unsubscribe() {
    const { client, seen } = await connect();
    const { subscription, heard } = await subscribe(client);
    await publish('before');
    await until(() => heard.data.length);
    subscription.unsubscribe();
    await client.rpc('ping', {});
    while (await present(seen.connected[0])) await pause(50);
    client.removeSubscription(subscription);
    await publish('unheard');
    const later = await subscribe(client);
    await publish('back');
    await until(() => later.heard.data.length);
    return { codes: heard.unsubscribed, present: false, heard: [...heard.data, ...later.heard.data] };
  },

  async strict_mode() {
    const { client } = await connect();
    const { subscription, heard } = listen(client);
    subscription.unsubscribe();
    subscription.subscribe();
    await subscription.ready(PATIENCE_MS);
    await subscription.publish('here');
    await until(() => heard.data.length);
    return { heard: heard.data };
  },

  async flapping() {
    const { client, seen } = await connect();
    const subscription = client.newSubscription(world.channel);
    for (let i = 0; i < 5; i += 1) { subscription.subscribe(); subscription.unsubscribe(); }
    let calmSince = Date.now();
    while (Date.now() - calmSince < 500) if (await present(seen.connected[0])) calmSince = Date.now();
    return { present: false, state: subscription.state };
  },

  async batching() {
    const { client } = await connect();
    const { subscription, heard } = await subscribe(client);
    let frames = 0;
    const socket = client._transport._transport;
    const send = socket.send.bind(socket);
    socket.send = (...sent) => { frames += 1; return send(...sent); };
    client.startBatching();
    const published = range(3).map((value) => subscription.publish(value));
    client.stopBatching();
    await Promise.all(published);
    await until(() => heard.data.length >= 3);
    return { heard: heard.data, frames };
  },

  async disconnect_for_good() {
    const { seen } = await connect();
    await disconnectByBackend(seen, 3503);
    await until(() => seen.disconnected.length);
    await pause(300);
    return { codes: seen.disconnected, connected: seen.connected.length };
  },

  disconnect_3001: () => comesBack(3001),
  disconnect_3008: () => comesBack(3008),

  async foreign_session() {
    const { heard } = listen((await connect()).client, `session:${world.foreign_session}`);
    await until(() => heard.unsubscribed.length);
    return { codes: heard.unsubscribed };
  },

  async session_channel() {
    const { heard } = await subscribe((await connect()).client, `session:${world.own_session}`);
    for (const step of range(4)) {
      await http(`/sessions/${world.own_session}`, world.amir, {
        method: 'PATCH', body: JSON.stringify({ step }), headers: { 'content-type': 'application/merge-patch+json' },
      });
    }
    await until(() => heard.data.length >= 4);
    return { versions: heard.data.map((data) => data.version) };
  },

  async lost_share() {
    const asked = { method: 'POST', body: JSON.stringify({ access: { tenant: 'read' } }) };
    const { id } = await http('/sessions', world.alice, asked);
    const { subscription, heard } = await subscribe((await connect()).client, `session:${id}`);
    await http(`/sessions/${id}/access`, world.alice, { method: 'PATCH', body: JSON.stringify({ tenant: null }) });
    await http(`/sessions/${id}`, world.alice, { method: 'PATCH', body: JSON.stringify({ secret: 1 }) });
    await until(() => heard.unsubscribed.length > 0);
    return { told: heard.data.map((data) => data.type), unsubscribed: heard.unsubscribed, state: subscription.state };
  },
};

scenarios[scenario]().then(
  (result) => { console.log(JSON.stringify(result)); process.exit(0); },
  (error) => { console.error(error); process.exit(1); },
);
