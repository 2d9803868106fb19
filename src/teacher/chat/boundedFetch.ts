/**
 * @file `fetch` for teachers: a reply ends after so many bytes, a redirect is an error
 * (it would carry the key elsewhere), and nothing but the headers given is sent along.
 */
import { TeacherError } from "../teacherError.ts";

/** A `fetch` whose bodies fail with a `TeacherError` "reply" after `maxBytes`, and then stop downloading. */
export function boundedFetch(maxBytes: number, baseFetch: typeof fetch = globalThis.fetch): typeof fetch {
  return async (input, init) => {
    const headers = new Headers(init?.headers);
    // The SDK's own: where it can be set from a page, a server's list of allowed headers (CORS) has to name it.
    headers.delete("user-agent");
    const response = await baseFetch(input, {
      ...init,
      headers,
      redirect: "error",
      credentials: "omit",
      referrerPolicy: "no-referrer",
      cache: "no-store",
    });
    if (response.body === null) return response;
    let bytes = 0;
    const counted = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          bytes += chunk.byteLength;
          if (bytes > maxBytes)
            controller.error(new TeacherError("reply", `the reply is longer than ${maxBytes} bytes`));
          else controller.enqueue(chunk);
        },
      }),
    );
    return new Response(counted, {
      status: response.status,
      statusText: response.statusText,
      headers: response.headers,
    });
  };
}
