-- The messenger's account, for a database that `python -m demos.pool_demo.seed` has just made.
-- Run it once, as a user who may grant. Put a password of your own in.

-- Everybody knows the password of the four users in the seed.
DELETE FROM `book`.`messages` WHERE sender_id <= 4 OR recipient_id <= 4;
DELETE FROM `book`.`friendships` WHERE low_id <= 4 OR high_id <= 4;
DELETE FROM `book`.`logins` WHERE user_id <= 4;
DELETE FROM `book`.`userinfo` WHERE id <= 4;

-- What the messenger does, and nothing else: it deletes no row and changes no table.
CREATE USER 'messenger'@'127.0.0.1' IDENTIFIED BY 'a long password';
GRANT SELECT, INSERT ON `book`.`userinfo` TO 'messenger'@'127.0.0.1';
GRANT SELECT, INSERT, UPDATE ON `book`.`logins` TO 'messenger'@'127.0.0.1';
GRANT SELECT, INSERT, UPDATE ON `book`.`friendships` TO 'messenger'@'127.0.0.1';
GRANT SELECT, INSERT, UPDATE ON `book`.`messages` TO 'messenger'@'127.0.0.1';
