/** @file The version written into manifests; a test holds it equal to package.json's. */

/** Version of Tutelage. */
export const VERSION = "0.1.0";
