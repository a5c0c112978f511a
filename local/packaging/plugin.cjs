'use strict';
// Lets `package` and `deploy` of osls and of the Serverless Framework build the functions' zips by themselves.

const { spawn, spawnSync } = require('node:child_process');
const path = require('node:path');

const PROBE = `
import importlib.util, shutil, sys
sys.exit(not (sys.version_info >= (3, 11) and (importlib.util.find_spec("pip") or shutil.which("uv"))))
`;

class FunctionZips {
  constructor(serverless, options) {
    this.serverless = serverless;
    this.hooks = {
      'before:package:createDeploymentArtifacts': () => this.build(this.service().getAllFunctions()),
      'before:package:function:package': () => this.build([options.function]),
      'before:package:compileEvents': () => this.splitOrigins(),
      'before:deploy:deploy': () => this.refuseUnsetSecrets(),
    };
  }

  service() {
    return this.serverless.service;
  }

  root() {
    return this.serverless.serviceDir || this.serverless.config.servicePath;
  }

  build(names) {
    const wanted = {};
    for (const name of names) {
      const { handler, package: { artifact } } = this.service().getFunction(name);
      wanted[name] = { handler, artifact: path.relative(this.root(), path.resolve(this.root(), artifact)) };
    }
    return this.run(['-m', 'local.packaging'], JSON.stringify(wanted));
  }

  splitOrigins() {
    const { cors } = this.service().provider.httpApi;
    cors.allowedOrigins = cors.allowedOrigins.flatMap((origins) => origins.split(',')).map((it) => it.trim());
  }

  refuseUnsetSecrets() {
    const missing = this.service().custom.requiredToDeploy.filter((name) => !process.env[name]);
    if (missing.length) throw this.error(`Set ${missing.join(', ')} in the environment or in .env before deploying.`);
  }

  run(args, input) {
    const python = findPython();
    if (!python) throw this.error('No Python 3.11 or newer with pip (or uv) found; set TRAFFIC_COP_PYTHON to one.');
    return new Promise((resolve, reject) => {
      const child = spawn(python, args, { cwd: this.root(), stdio: ['pipe', 'inherit', 'inherit'] });
      child.on('error', reject);
      child.on('close', (code) => (code === 0 ? resolve() : reject(this.error('The functions could not be built.'))));
      child.stdin.on('error', () => {});
      child.stdin.end(input);
    });
  }

  // A plain Error would print a stack trace that helps nobody.
  error(message) {
    return new (this.serverless.classes?.Error || Error)(message);
  }
}

function findPython() {
  const { TRAFFIC_COP_PYTHON, VIRTUAL_ENV } = process.env;
  if (TRAFFIC_COP_PYTHON) return TRAFFIC_COP_PYTHON;
  const inVenv = VIRTUAL_ENV ? [path.join(VIRTUAL_ENV, 'bin', 'python'), path.join(VIRTUAL_ENV, 'Scripts', 'python.exe')] : [];
  const candidates = [...inVenv, 'python3', 'python', 'python3.13', 'python3.12', 'python3.11'];
  return candidates.find((python) => spawnSync(python, ['-c', PROBE], { stdio: 'ignore' }).status === 0);
}

module.exports = FunctionZips;
