/*
 * contracts/modules/membership/membership.h -- the module's own tables, actions and events.
 *
 * Seen by this folder only; other modules see interface.h.  States of a member row:
 *
 *     (none) --apply--> APPLIED --decide--> ACTIVE --leave--> LEFT
 *                          |  \--decide--> REFUSED              |
 *                          \---lapse-----> LAPSED               |
 *     REFUSED, LAPSED, LEFT --apply--> APPLIED  <---------------/
 */
#ifndef CONTRACTS_MODULES_MEMBERSHIP_MEMBERSHIP_H
#define CONTRACTS_MODULES_MEMBERSHIP_MEMBERSHIP_H

#include "contracts/host.h"

TABLE(members, Membership__Member);

enum members_index { /* order of members.indexes */
                     MEMBERS_BY_STATE,
                     MEMBERS_BY_ACCOUNT,
};

ACTION(membership_admission_apply, Membership__AdmissionApply);
ACTION(membership_admission_decide, Membership__AdmissionDecide);
ACTION(membership_leave, Membership__Leave);
ACTION(membership_admission_lapse, Membership__AdmissionLapse);

EVENT(membership, admission_applied, Membership__AdmissionApplied);
EVENT(membership, admission_decided, Membership__AdmissionDecided);
EVENT(membership, member_left, Membership__MemberLeft);
EVENT(membership, admission_lapsed, Membership__AdmissionLapsed);

enum membership_action { /* position in membership.actions */
                         MEMBERSHIP_ADMISSION_APPLY,
                         MEMBERSHIP_ADMISSION_DECIDE,
                         MEMBERSHIP_LEAVE,
                         MEMBERSHIP_ADMISSION_LAPSE,
};

#endif /* CONTRACTS_MODULES_MEMBERSHIP_MEMBERSHIP_H */
