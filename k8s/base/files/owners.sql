-- One role and one database per owner of data; neither role can enter the other's database.
-- Postgres' image runs this once, when it makes the data directory, with the passwords in its environment.
\getenv catalogue_password CATALOGUE_PASSWORD
\getenv feedback_password FEEDBACK_PASSWORD

CREATE ROLE catalogue LOGIN PASSWORD :'catalogue_password';
CREATE DATABASE catalogue OWNER catalogue;
REVOKE ALL ON DATABASE catalogue FROM PUBLIC;

CREATE ROLE feedback LOGIN PASSWORD :'feedback_password';
CREATE DATABASE feedback OWNER feedback;
REVOKE ALL ON DATABASE feedback FROM PUBLIC;
