/* From humanloop 0.2.0 to 0.3.0; CREATE EXTENSION runs both scripts, one after the other */

\echo Use "CREATE EXTENSION humanloop" or "ALTER EXTENSION humanloop UPDATE" to load this file. \quit
