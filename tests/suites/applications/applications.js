// Runs the checks of the applications: see `run` for the arguments. The file NN_name.js checks the
// example NN_name, and exports
//
//   async function check({ browser, start, screens, assert, log })
//
// - `browser` is Playwright's Chromium, a new one for each check. Its contexts have a timeout of
//   `PATIENCE`. An exception that a page does not catch fails the check.
// - `start(args?, stdin?)` starts the example on a free port. `args` follow the port on its command
//   line. `stdin` is text for its standard input, which then stays open. See `Program` for what it
//   returns. The programs are killed when the check is over.
// - `screens(page, name?)` writes the four screenshots out/NAME-{light,dark}-{1280,390}.png, and
//   fails if the page is wider than the window. The name is that of the example by default, and
//   begins with it. `run --update` copies only those with the name of the example to docs/.
// - `assert` is Node's strict `node:assert`. `log(…)` prints a line below the check's line.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { launch } from '../browser/chromium.js';

const OUT = new URL('out/', import.meta.url);
const DOCS = new URL('../../../docs/applications/', import.meta.url);
const EXAMPLES = new URL('../../../examples/', import.meta.url);
/** The most bytes of all screenshots in docs/. */
const BYTES = 2 << 20;
/** The number of the first example that is an application. */
const FIRST = 8;
/** The longest time in milliseconds that one step may take. No step is expected to need it. */
const PATIENCE = 30_000;
/** The longest time in milliseconds for a whole check. */
const CHECK_PATIENCE = 240_000;
const SCHEMES = ['light', 'dark'];
const SIZES = [{ width: 1280, height: 800 }, { width: 390, height: 844 }];

/** Ends the run: something is missing that every check needs. */
function cannot(reason) {
  console.error(`cannot test: ${reason}`);
  process.exit(2);
}

/** A running example. */
class Program {
  #path;
  #args;
  #input;
  #child;
  #output;

  constructor(path, args, input) {
    [this.#path, this.#args, this.#input] = [path, args, input];
  }

  /** Starts the process and waits until it listens. */
  async #launch(port) {
    const child = spawn(this.#path, [String(port), ...this.#args], { stdio: 'pipe' });
    this.#child = child;
    this.#output = '';
    child.stdin.on('error', () => {}); // The program has ended, which a later step will report.
    if (this.#input !== undefined) child.stdin.write(this.#input);
    let errors = '';
    child.stderr.on('data', (data) => { errors += data; });
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the example does not listen')), PATIENCE);
      const fail = (reason) => { clearTimeout(late); reject(new Error(`the example ${reason}: ${errors}`)); };
      child.once('error', (error) => fail(error.message));
      child.once('exit', (code, signal) => fail(`ended with ${code ?? signal}`));
      child.stdout.on('data', (data) => {
        this.#output += data;
        const address = /^listening on (http:\/\/\S+:(\d+))$/m.exec(this.#output);
        if (!address) return;
        clearTimeout(late);
        /** The address without a slash at its end. */
        this.url = address[1];
        this.port = Number(address[2]);
        resolve();
      });
    });
    return this;
  }

  start() { return this.#launch(0); }

  /** Ends the process with a signal, and waits for its end. */
  async #end(signal) {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => { child.once('exit', resolve); });
    child.kill(signal);
    await ended;
  }

  /** Ends the process with SIGTERM, or with SIGKILL if that takes too long. */
  async stop() {
    const late = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE);
    await this.#end('SIGTERM');
    clearTimeout(late);
  }

  /** Kills the process. */
  kill() { return this.#end('SIGKILL'); }

  /** Starts the process again on the same port, after killing it if it still runs. */
  async restart() {
    await this.kill();
    return this.#launch(this.port);
  }

  /** Returns the standard input, a writable stream. */
  get stdin() { return this.#child.stdin; }

  /** Returns what the process has printed since it started. */
  stdout() { return this.#output; }
}

/** Returns the names of the four screenshots. */
const screenshots = (name) => SCHEMES.flatMap((scheme) => SIZES.map(({ width }) => `${name}-${scheme}-${width}.png`));

/** Returns the function that writes the four screenshots of a page of this example. */
const screensOf = (example) => async (page, name = example) => {
  assert(name.startsWith(example), `the screenshots ${name} do not begin with ${example}`);
  const before = page.viewportSize();
  for (const colorScheme of SCHEMES) {
    for (const size of SIZES) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      const width = await page.evaluate(() => document.scrollingElement.scrollWidth);
      assert(width <= size.width, `the page is ${width} pixels wide in a window of ${size.width}`);
      const path = new URL(`${name}-${colorScheme}-${size.width}.png`, OUT).pathname;
      await page.screenshot({ path, animations: 'disabled' });
    }
  }
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: null });
};

/** Runs one check. Throws if it fails. */
async function run(name, lines) {
  assert(checks.includes(name), `tests/suites/applications/${name}.js is missing`);
  const { check } = await import(`./${name}.js`);
  const browser = await launch();
  const uncaught = [];
  const create = browser.newContext.bind(browser);
  browser.newContext = async (options) => {
    const context = await create({ viewport: SIZES[0], ...options });
    context.setDefaultTimeout(PATIENCE);
    context.on('weberror', (error) => uncaught.push(error.error()));
    return context;
  };
  const programs = [];
  const start = async (args = [], stdin = undefined) => {
    const program = new Program(`${binaries}/${name}`, args.map(String), stdin);
    programs.push(program);
    return program.start();
  };
  let late;
  const timeout = new Promise((_, reject) => {
    late = setTimeout(() => reject(new Error(`not over after ${CHECK_PATIENCE / 1000} s`)), CHECK_PATIENCE);
  });
  try {
    const log = (...values) => lines.push(values.join(' '));
    const body = check({ browser, start, screens: screensOf(name), assert, log });
    await Promise.race([body, timeout]);
    if (uncaught.length > 0) throw new AggregateError(uncaught, `a page did not catch: ${uncaught.join('; ')}`);
  } finally {
    clearTimeout(late);
    await Promise.all(programs.map((program) => program.kill()));
    await browser.close();
  }
}

/**
 * Copies the screenshots with the names of these examples to docs/, with 256 colors each, which is
 * less than half of the bytes. Those with longer names are only for a look at out/.
 */
function update(passed) {
  mkdirSync(DOCS, { recursive: true });
  for (const file of passed.flatMap(screenshots)) {
    const to = new URL(file, DOCS).pathname;
    execFileSync('pngquant', ['--force', '--strip', '--speed', '1', '--output', to, new URL(file, OUT).pathname]);
  }
  const pictures = readdirSync(DOCS).filter((file) => file.endsWith('.png'));
  const bytes = pictures.reduce((sum, file) => sum + statSync(new URL(file, DOCS)).size, 0);
  console.log(`docs/applications/ has ${pictures.length} screenshots, ${Math.round(bytes / 1024)} KiB`);
  return bytes <= BYTES;
}

const [binaries, ...rest] = process.argv.slice(2);
let options;
try {
  options = parseArgs({ args: rest, options: { only: { type: 'string', default: '' }, update: { type: 'boolean' } } }).values;
} catch (error) {
  cannot(error.message);
}
const numbered = (folder, extension) => readdirSync(folder)
  .filter((file) => /^\d\d_/.test(file) && file.endsWith(extension))
  .map((file) => file.slice(0, -extension.length));
const checks = numbered(new URL('.', import.meta.url), '.js');
const applications = numbered(EXAMPLES, '.rs').filter((name) => Number(name.slice(0, 2)) >= FIRST);
const names = [...new Set([...applications, ...checks])].sort().filter((name) => name.startsWith(options.only));
if (names.length === 0) cannot(`no application's name begins with ${JSON.stringify(options.only)}`);
for (const name of names) {
  if (!existsSync(`${binaries}/${name}`)) cannot(`${binaries}/${name} is missing`);
}
await launch().then((browser) => browser.close(), (error) => cannot(`Chromium does not start: ${error}`));
rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });

const passed = [];
for (const name of names) {
  const began = performance.now();
  const lines = [];
  try {
    await run(name, lines);
    passed.push(name);
    console.log(`ok      ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    console.log(`FAILED  ${name}\n        ${String(error.stack ?? error).replaceAll('\n', '\n        ')}`);
  }
  for (const line of lines) console.log(`        ${line}`);
}
console.log(`${passed.length} of ${names.length} applications passed`);
const fits = !options.update || update(passed);
if (!fits) console.error(`the screenshots have more than ${BYTES / 1024} KiB: make the pages' pictures simpler`);
process.exit(passed.length === names.length && fits ? 0 : 1);
