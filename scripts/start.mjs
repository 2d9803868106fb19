/**
 * @file `npm start`: sets the checkout up, serves the page with vite's development
 * server and opens a browser. Options: `--no-open`, `--port N`, `--host [ADDRESS]`.
 */
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import { note, ROOT, setUp, stop } from "./setup.mjs";

const HELP = `npm start -- [--no-open] [--port N] [--host ADDRESS]
  --no-open       do not open a browser
  --port N        port to listen on (default 5173, the next free one when taken)
  --host ADDRESS  address to listen on (default localhost). Browsers give threads and
                  WebGPU only to localhost and https`;

const options = readOptions();
setUp();

const { createServer } = await import("vite");
const server = await createServer({
  root: ROOT,
  configFile: `${ROOT}/vite.config.ts`,
  server: { ...options.server, open: false },
});
await server.listen();
const url = server.resolvedUrls?.local[0] ?? server.resolvedUrls?.network[0] ?? "";
console.log(`Tutelage is at ${url}`);
console.log("Press Ctrl+C to stop.");
if (options.open) openBrowser(url);
process.once("SIGINT", () => void server.close().finally(() => process.exit(0)));

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        "no-open": { type: "boolean", default: false },
        port: { type: "string" },
        host: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    const port = values.port === undefined ? undefined : Number(values.port);
    if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65536)) {
      stop(`--port: expected a whole number from 1 to 65535, got ${values.port}`);
    }
    return {
      open: !values["no-open"],
      server: { ...(port === undefined ? {} : { port }), ...(values.host === undefined ? {} : { host: values.host }) },
    };
  } catch (error) {
    stop(`${error instanceof Error ? error.message : String(error)}\n${HELP}`);
  }
}

/**
 * Opens the page; a machine without a browser only gets a line that says so.
 * @param {string} address
 */
function openBrowser(address) {
  /** @type {[string, string[]]} */
  const [program, args] =
    process.platform === "darwin"
      ? ["open", [address]]
      : process.platform === "win32"
        ? ["cmd", ["/c", "start", "", address]]
        : ["xdg-open", [address]];
  const failed = () => note(`no browser could be opened; open ${address} yourself`);
  try {
    const child = spawn(program, args, { stdio: "ignore", detached: true });
    child.once("error", failed);
    child.once("exit", (status) => status !== 0 && failed());
    child.unref();
  } catch {
    failed();
  }
}
